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
    NAMED,
    NEW_ACCOUNT,
    PROBE,
    PROBED,
)
from gateway.admin.entity import Changed
from gateway.admin.errors import Unacceptable
from gateway.admin.live.service import resume_serving
from gateway.admin.logins.batch import (
    ALL_IMPORTED,
    IMPORTED,
    LOGIN_IMPORT,
    LOGIN_IMPORTS,
    ROTATED,
    NewLogin,
    rotate_encryption_key,
    save_logins,
)
from gateway.admin.logins.brought import read_import
from gateway.admin.names import ACCOUNT_WORD, find_named
from gateway.admin.probe import probe
from gateway.admin.resets import RESETS, shown_resets, use_reset
from gateway.admin.views import show_account
from gateway.app import Gateway
from gateway.secret import Secret
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
            accounts.add_api_key_account, wanted, self.gateway.secrets, self.actor
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
        (saved,) = await self.save([await self.fields()])
        self.answer(saved)

    async def save(self, given: list[dict[str, Any]]) -> list[accounts.Imported]:
        """All of them or none."""
        logins = [await self._new_login(one) for one in given]
        secrets = self.gateway.secrets
        return await self.change(save_logins, logins, secrets, self.actor)

    async def _new_login(self, given: dict[str, Any]) -> NewLogin:
        login = await read_import(self.gateway.settings, given["auth"])
        return NewLogin(login, given["name"], given["source_file"])


class AccountImportsHandler(AccountImportHandler):
    operations: ClassVar = {
        "post": Operation("Import several, all or none", ALL_IMPORTED, LOGIN_IMPORTS)
    }

    async def post(self) -> None:
        given = await self.fields()
        self.answer({"imported": await self.save(given["logins"])})


_KEY_FILES = (
    "Gateways of other data directories use the database, and would not have the new "
    "key: give all the same GATEWAY_ENCRYPTION_KEY, the new key before the old, and "
    "rotate then"
)


class RotateKeyHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation("Encrypt all credentials with a new key", ROTATED)
    }

    async def post(self) -> None:
        held = self.gateway
        directories = {row.directory for row in held.membership.rows.values()}
        if held.secrets.file is not None and len(directories) > 1:
            raise Unacceptable(_KEY_FILES)
        self.answer(await rotate_encryption_key(held.store, held.secrets, self.actor))


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
        changed = await self.change(accounts.change_account, name, given, self.actor)
        self.answer(account_answer(self.gateway, changed.name, changed))

    async def delete(self, name: str) -> None:
        gone = await self.change(accounts.remove_account, name, self.actor)
        self.answer({"name": gone.name, **gone.shown()})


class AccountPauseHandler(AdminHandler):
    operations: ClassVar = {"post": Operation("Take out of service", ACCOUNT)}

    async def post(self, name: str) -> None:
        pause = partial(accounts.set_paused, paused=True)
        changed = await self.change(pause, name, self.actor)
        self.answer(account_answer(self.gateway, changed.name, changed))


class AccountResumeHandler(AdminHandler):
    operations: ClassVar = {
        "post": Operation(
            "Put back into service, and ask its judge what still holds", ACCOUNT
        )
    }

    async def post(self, name: str) -> None:
        changed, ruling = await resume_serving(self.gateway, name, self.actor)
        told = account_answer(self.gateway, changed.name, changed)
        self.answer(told | {"ruling": ruling.value})


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
        self.answer(await use_reset(self.gateway, account, self.actor))


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
