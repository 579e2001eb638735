"""/dashboard/security: a user's own password, authenticator and recovery codes."""

from collections.abc import Mapping
from typing import Any

from gateway.errors import InvalidPayload
from gateway.sign_in.totp import AlreadyOn, is_secret, new_secret
from handlers.dashboard.forms import SentForm
from handlers.dashboard.sign_in.signing_in import FIRST_RUN, UsersOwnPage

SECURITY = "/dashboard/security"


class SecurityPage(UsersOwnPage):
    """Changes the password, or takes the authenticator away."""

    def get(self) -> None:
        self.must_be_fresh()
        self.show_plain("sign_in/security.html")

    async def submit(self, form: SentForm, *path: str) -> None:
        self.must_be_fresh()
        _, session = self.own
        sign_in = self.gateway.sign_in
        if form.get("action") == "drop-authenticator":
            await sign_in.drop_totp(session)
        else:
            password = form.get("password", "")
            if password != form.get("again"):
                raise InvalidPayload("The two passwords differ", param="again")
            await sign_in.change_password(session, password)
        self.go(SECURITY)


class AuthenticatorPage(UsersOwnPage):
    """Sets an authenticator up: the picture, then a code of it as the proof.

    The secret travels in the form until then: it is the user's own.
    """

    next_url = SECURITY
    is_first_run = False

    async def get(self) -> None:
        self.must_be_fresh()
        user, _ = self.own
        given = self.given.get("secret", "")
        if not is_secret(given) or isinstance(self.problem, AlreadyOn):
            given = new_secret()

        def read() -> Mapping[str, Any]:
            return {"secret": given, "name": user.name}

        await self.show("sign_in/authenticator.html", read, **self._place())

    async def submit(self, form: SentForm, *path: str) -> None:
        self.must_be_fresh()
        _, session = self.own
        secret, code = form.get("secret", ""), form.get("code", "")
        codes = await self.gateway.sign_in.set_totp(session, secret, code)
        self.show_plain("sign_in/recovery_codes.html", codes=codes, **self._place())

    def _place(self) -> dict[str, Any]:
        return {"next": self.next_url, "is_first_run": self.is_first_run}


class FirstAuthenticatorPage(AuthenticatorPage):
    """The same, of the first run."""

    next_url = FIRST_RUN
    is_first_run = True
