"""/api/accounts: the pool's accounts."""

import time
from functools import partial
from typing import Any, ClassVar

from gateway.accounts.account import Account
from gateway.admin import accounts
from gateway.admin.entities import (
    ACCOUNT,
    ACCOUNT_CHANGE,
    ACCOUNT_LIST,
    IMPORTED,
    LOGIN_IMPORT,
    NAMED,
    NEW_ACCOUNT,
    PROBE,
    PROBED,
)
from gateway.admin.entity import Changed
from gateway.admin.errors import Unacceptable
from gateway.admin.names import ACCOUNT_WORD, find_named
from gateway.admin.probe import probe
from gateway.admin.resets import RESETS, shown_resets, use_reset
from gateway.admin.views import show_account
from gateway.app import Gateway
from gateway.errors import UpstreamUnavailable
from gateway.repository import audit
from gateway.secret import Secret
from gateway.upstream import UpstreamFault
from gateway.upstream.logins.access_token import identified, imported_document
from handlers.admin.base import AdminHandler, Operation


class AccountsHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("All accounts and how they fare", ACCOUNT_LIST),
        "post": Operation(
            "Add an endpoint with an API key", ACCOUNT, NEW_ACCOUNT, status=201
        ),
    }

    def get(self) -> None:
        held = self.gateway.pool.accounts.values()
        self.answer({"accounts": [_shown(self.gateway, one) for one in held]})

    async def post(self) -> None:
        given = await self.fields()
        given["api_key"] = Secret(given["api_key"])
        wanted = accounts.ApiKeyAccount(**given)
        made = await self.change(
            accounts.add_api_key_account, wanted, self.gateway.secrets, audit.API
        )
        self.answer(account_answer(self.gateway, made.name))


class AccountImportHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation(
            "Import a Codex login or access token, or update its account",
            IMPORTED,
            LOGIN_IMPORT,
        )
    }

    async def post(self) -> None:
        given = await self.fields()
        try:
            found = imported_document(given["auth"])
            login = await identified(self.gateway.settings, found)
        except ValueError as error:
            raise Unacceptable(f"The login {error}", param="auth") from error
        except UpstreamFault as fault:
            if fault.failure.origin == "account":
                raise Unacceptable(str(fault), param="auth") from fault
            raise UpstreamUnavailable(fault.failure) from fault
        secrets = self.gateway.secrets
        save = partial(accounts.save_login, name=given["name"])
        self.answer(await self.change(save, login, secrets, audit.API))


class AccountHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("One account", ACCOUNT),
        "patch": Operation("Change an account", ACCOUNT, ACCOUNT_CHANGE),
        "delete": Operation("Remove an account", NAMED),
    }

    def get(self, name: str) -> None:
        self.answer(account_answer(self.gateway, name))

    async def patch(self, name: str) -> None:
        given = await self.fields()
        changed = await self.change(accounts.change_account, name, given, audit.API)
        self.answer(account_answer(self.gateway, changed.name, changed))

    async def delete(self, name: str) -> None:
        gone = await self.change(accounts.remove_account, name, audit.API)
        self.answer({"name": gone.name})


class AccountPauseHandler(AdminHandler):
    operations: ClassVar = {"post": Operation("Take out of service", ACCOUNT)}
    paused: ClassVar[bool] = True

    async def post(self, name: str) -> None:
        change = partial(accounts.set_paused, paused=self.paused)
        changed = await self.change(change, name, audit.API)
        self.answer(account_answer(self.gateway, changed.name, changed))


class AccountResumeHandler(AccountPauseHandler):
    operations: ClassVar = {"post": Operation("Put back into service", ACCOUNT)}
    paused = False


class AccountProbeHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation(
            "Send one small request, whatever the account's state",
            PROBED,
            PROBE,
        )
    }

    async def post(self, name: str) -> None:
        given = await self.fields()
        account = find_account(self.gateway, name)
        self.answer(await probe(self.gateway, account, given["model"]))


class AccountResetsHandler(AdminHandler):
    operations: ClassVar = {
        "get": Operation("The resets it has banked", RESETS),
        "post": Operation("Use one: its used-up windows begin anew", RESETS),
    }

    async def get(self, name: str) -> None:
        self.answer(await shown_resets(self.gateway, find_account(self.gateway, name)))

    async def post(self, name: str) -> None:
        account = find_account(self.gateway, name)
        self.answer(await use_reset(self.gateway, account, audit.API))


def find_account(gateway: Gateway, name: str) -> Account:
    """An account of the pool. Raises NotThere."""
    return find_named(gateway.pool.accounts.values(), ACCOUNT_WORD, name)


def account_answer(
    gateway: Gateway, name: str, changed: Changed | None = None
) -> dict[str, Any]:
    """The account as it is now, and what of it a change made different."""
    shown = _shown(gateway, find_account(gateway, name))
    return shown | (changed.shown() if changed else {})


def _shown(gateway: Gateway, account: Account) -> dict[str, Any]:
    base = gateway.pool.verdicts.base(account)
    return show_account(account, time.time(), base)
