"""The login server: refresh with rotation, and the device flow."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from gateway.demo.accounts import DemoAccount
from gateway.demo.answers import JsonObject, ScriptedResponse
from gateway.demo.faults import error_response
from gateway.demo.received import Received
from gateway.upstream.tokens import CLIENT_ID


@dataclass(slots=True)
class _Login:
    """One device login on its way."""

    user_code: str
    account: str | None  # who approved it
    polls_left: int  # answered "not yet" before it is approved by itself
    code: str = ""


@dataclass(slots=True)
class AuthServer:
    """Issues tokens. A refresh token works once; the second use is an error."""

    accounts: dict[str, DemoAccount]
    url: str = ""
    interval: int = 0  # seconds between polls, told to the client
    polls_before_approval: int | None = 1  # None: only `approve` lets anybody in
    login_account: str | None = None  # who logs in; the first account by default
    spent: set[str] = field(default_factory=set)  # used refresh tokens
    revoked: set[str] = field(default_factory=set)  # access tokens answered with 401
    refreshed: list[str] = field(default_factory=list)  # account of every rotation
    _logins: dict[str, _Login] = field(default_factory=dict)
    _serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, received: Received) -> ScriptedResponse:
        if received.route == "refresh":
            return self._refresh(received.payload)
        if received.route == "login":
            return self._exchange(dict(parse_qsl(received.text)))
        if received.route == "usercode":
            return self._user_code(received.payload)
        if received.route == "whoami":
            return self._whoami(received)
        return self._poll(received.payload)

    def expire(self, name: str) -> None:
        """The account's present access token is refused from now on."""
        self.revoked.add(self.accounts[name].access_token)

    def approve(self, user_code: str, account: str) -> None:
        """What the user does in the browser."""
        for login in self._logins.values():
            if login.user_code == user_code:
                login.account = account

    def _refresh(self, body: JsonObject) -> ScriptedResponse:
        token = body.get("refresh_token")
        if body.get("client_id") != CLIENT_ID or not isinstance(token, str):
            return error_response(
                400, "invalid_request", "client_id or refresh_token missing"
            )
        if token in self.spent:
            return error_response(
                401,
                "refresh_token_reused",
                "Your refresh token has already been used to generate a new access "
                "token. Please try signing in again.",
            )
        for account in self.accounts.values():
            if account.refresh_token == token:
                self.spent.add(token)
                self.refreshed.append(account.name)
                account.issue()
                return _tokens(account)
        return error_response(
            401, "refresh_token_invalidated", "Unknown refresh token."
        )

    def _user_code(self, body: JsonObject) -> ScriptedResponse:
        if body.get("client_id") != CLIENT_ID:
            return error_response(400, "invalid_request", "Unknown client")
        number = next(self._serial)
        login = _Login(f"DEMO-{number:04d}", None, self.polls_before_approval or 0)
        self._logins[f"fake-device-{number}"] = login
        return ScriptedResponse.json(
            {
                "device_auth_id": f"fake-device-{number}",
                "user_code": login.user_code,
                "interval": str(self.interval),  # a string, as the real server sends it
                "expires_in": 900,
            }
        )

    def _whoami(self, received: Received) -> ScriptedResponse:
        token = received.headers.get("authorization", "").removeprefix("Bearer ")
        for account in self.accounts.values():
            if account.personal_access_token == token and token not in self.revoked:
                return ScriptedResponse.json(
                    {
                        "email": account.email,
                        "chatgpt_user_id": f"user-{account.name}",
                        "chatgpt_account_id": account.account_id,
                        "chatgpt_plan_type": account.plan,
                        "chatgpt_account_is_fedramp": False,
                    }
                )
        return error_response(401, "token_invalidated", "Unknown access token.")

    def _poll(self, body: JsonObject) -> ScriptedResponse:
        login = self._logins.get(str(body.get("device_auth_id")))
        if login is None or login.user_code != body.get("user_code"):
            return error_response(404, "not_found", "Unknown device login")
        if login.account is None and self.polls_before_approval is not None:
            if login.polls_left == 0:
                login.account = self.login_account or next(iter(self.accounts), None)
            login.polls_left -= 1
        if login.account is None:
            return error_response(403, "authorization_pending", "Not approved yet")
        login.code = f"fake-code-{next(self._serial)}"
        return ScriptedResponse.json(
            {
                "authorization_code": login.code,
                "code_challenge": "fake-challenge",
                "code_verifier": f"verifier-of-{login.code}",
            }
        )

    def _exchange(self, form: dict[str, str]) -> ScriptedResponse:
        code = form.get("code", "")
        expected = {
            "grant_type": "authorization_code",
            "client_id": CLIENT_ID,
            "code_verifier": f"verifier-of-{code}",
            "redirect_uri": f"{self.url}/deviceauth/callback",
        }
        for name, value in expected.items():
            if form.get(name) != value:
                return error_response(
                    400, "invalid_grant", f"{name} is not what was expected"
                )
        for login in self._logins.values():
            if code and login.code == code and login.account in self.accounts:
                login.code = ""  # a code works once
                account = self.accounts[login.account]
                account.issue()
                return _tokens(account)
        return error_response(400, "invalid_grant", "Unknown code")


def _tokens(account: DemoAccount) -> ScriptedResponse:
    return ScriptedResponse.json(
        {
            "id_token": account.id_token,
            "access_token": account.access_token,
            "refresh_token": account.refresh_token,
            "token_type": "Bearer",
            "expires_in": int(account.lifetime),
        }
    )
