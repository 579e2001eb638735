"""What is done to one account: pause, resume, probe, a new login, a reset, removal."""

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from gateway.accounts.account import Account
from gateway.admin.accounts import remove_account, set_paused
from gateway.admin.errors import Unacceptable
from gateway.admin.live.service import resume_serving
from gateway.admin.logins.online import OnlineLogin
from gateway.admin.probe import Probed, cheapest, probe
from gateway.admin.resets import shown_resets, use_reset
from gateway.errors import GatewayError
from gateway.sign_in.users import Role
from handlers.dashboard.forms import SentForm
from handlers.dashboard.screens.accounts.account import AccountPage
from handlers.dashboard.screens.accounts.adding import LOGINS
from handlers.dashboard.screens.accounts.views import ACCOUNTS_PATH, account_view

PROBE_SECONDS = 60.0


class ActionPage(AccountPage):
    """A form of the account's page; its own address has no page."""

    async def get(self, name: str) -> None:
        self.back(self.account(name))

    async def show_again(self, name: str) -> None:
        await self.show_account(self.account(name))


class PauseAction(ActionPage):
    async def submit(self, form: SentForm, name: str) -> None:
        account = self.account(name)
        await self.change(partial(set_paused, paused=True), account.name, self.actor)
        self.back(account, "paused")


class ResumeAction(ActionPage):
    async def submit(self, form: SentForm, name: str) -> None:
        account = self.account(name)
        _, ruling = await resume_serving(self.gateway, account.name, self.actor)
        self.back(account, ruling.value)


class ProbeAction(ActionPage):
    """Its answer is the account's page with what upstream said."""

    async def submit(self, form: SentForm, name: str) -> None:
        account = self.account(name)
        model = form.get("model", "").strip() or None
        await self.show_account(account, probed=await self._probe(account, model))

    async def _probe(self, account: Account, model: str | None) -> Probed:
        started = time.monotonic()
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await probe(self.gateway, account, model)
        except TimeoutError:
            ms = round((time.monotonic() - started) * 1000)
            why = "It has not answered in time"
            told = Probed(account.name, model or cheapest(account), error=why)
            told.duration_ms = ms
            return told


class LoginAction(ActionPage):
    """A new login of this very account, by a code."""

    least_role: ClassVar = {"get": Role.VIEWER, "post": Role.OWNER}

    async def submit(self, form: SentForm, name: str) -> None:
        account = self.account(name)
        if not account.is_chatgpt:
            raise Unacceptable("An account with an API key has no login to renew")
        background = self.gateway.background
        running = (one for one in background.of(OnlineLogin) if one.is_running)
        login = next((one for one in running if one.account is account), None)
        if login is None:
            login = OnlineLogin(self.gateway, self.actor, account=account)
            background.start(login)
        await login.wait_for_code()
        self.go(f"{LOGINS}/{login.id}")


class ResetsPage(AccountPage):
    """The resets it has banked, asked for now, and using one."""

    least_role: ClassVar = {"get": Role.OPERATOR, "post": Role.OPERATOR}

    async def get(self, name: str) -> None:
        account = self.account(name)
        view = account_view(self.gateway, account, time.time())
        found, trouble = None, ""
        try:
            found = await shown_resets(self.gateway, account)
        except GatewayError as error:
            trouble = str(error)
        self.show_plain(
            "account_resets.html", account=view, resets=found, trouble=trouble
        )

    async def submit(self, form: SentForm, name: str) -> None:
        account = self.account(name)
        used = await use_reset(self.gateway, account, self.actor)
        self.back(account, "reset" if used["outcome"] == "reset" else "no_reset")


class RemovePage(AccountPage):
    """Removal, once the account's name was typed by who has just signed in."""

    least_role: ClassVar = {"get": Role.OPERATOR, "post": Role.OPERATOR}

    async def get(self, name: str) -> None:
        account = self.account(name)
        self.must_be_fresh()
        view = account_view(self.gateway, account, time.time())
        self.show_plain("account_remove.html", account=view)

    async def submit(self, form: SentForm, name: str) -> None:
        account = self.account(name)
        self.must_be_fresh()
        if form.get("typed", "").strip() != account.name:
            raise Unacceptable(
                "That is not its name: nothing was removed", param="typed"
            )
        await self.change(remove_account, account.name, self.actor)
        self.go(ACCOUNTS_PATH)


# By the last part of their address.
ACTIONS: Mapping[str, type[AccountPage]] = {
    "pause": PauseAction,
    "resume": ResumeAction,
    "probe": ProbeAction,
    "login": LoginAction,
    "resets": ResetsPage,
    "remove": RemovePage,
}
