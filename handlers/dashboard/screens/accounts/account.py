"""/dashboard/accounts/NAME: one account whole, its settings, and what to do with it."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.accounts.account import Account
from gateway.admin.accounts import change_account
from gateway.admin.errors import Unacceptable
from gateway.admin.names import ACCOUNT_WORD, find_named
from gateway.admin.probe import Probed
from gateway.admin.reports import changes_of, latest_change
from gateway.store.models import AccountRow
from handlers.dashboard.base import PageHandler
from handlers.dashboard.forms import SentForm
from handlers.dashboard.screens.accounts.views import account_path, account_view

LATEST_CHANGES = 8
_BOXES = ("websockets", "chat_parameters")


class Told(NamedTuple):
    """What became of the last action, once its page has led back here."""

    level: str
    text: str


# By the query's `told`: nobody's words are shown that a link brings along.
_TOLD: Mapping[str, Told] = {
    "added": Told("good", "The account was added."),
    "renewed": Told("good", "The account has its new login."),
    "kept": Told("info", "It is known already, and its stored tokens are newer: kept."),
    "changed": Told("good", "The settings hold from the next request on."),
    "same": Told("info", "It was so before: nothing is different."),
    "paused": Told("info", "It gets no further request."),
    "well": Told("good", "Back in service, and its judge finds it well."),
    "held": Told("warn", "Resumed, and its login is taken; what still holds is below."),
    "login": Told("bad", "Resumed, but its judge says that its token is refused."),
    "refused": Told("bad", "Resumed, but its judge says that it is refused."),
    "none": Told("warn", "Resumed; its judge said nothing that decides it."),
    "reset": Told("good", "Upstream took the reset: its windows begin anew."),
    "no_reset": Told("warn", "Upstream used no reset."),
}


class AccountPage(PageHandler):
    """What all pages of one account have in common."""

    def account(self, name: str) -> Account:
        """Raises NotThere."""
        held = self.gateway.pool.accounts.values()
        return find_named(held, ACCOUNT_WORD, name, exact=True)

    def back(self, account: Account, told: str = "") -> None:
        """To the account's page, which says what became of it."""
        self.go(account_path(account) + (f"?told={told}" if told else ""))

    async def show_account(
        self, account: Account, *, probed: Probed | None = None
    ) -> None:
        gateway, now = self.gateway, time.time()
        view = account_view(gateway, account, now)
        told = self.get_query_argument("told", "")
        await self.show(
            "account_state.html" if self.is_partial else "account.html",
            read_account,
            account.id,
            account.name,
            account=view,
            held=_settings(account) | self._sent(),
            probed=probed,
            told=_TOLD.get("held" if told == "well" and view.level else told),
        )

    def _sent(self) -> dict[str, Any]:
        """What a refused form of the settings had, with its boxes as they were."""
        if "priority" not in self.given:
            return {}
        boxes = {name: name in self.given for name in _BOXES}
        return dict(self.given) | boxes


class AccountScreen(AccountPage):
    async def get(self, name: str) -> None:
        self.gateway.resets.refresh()
        await self.show_account(self.account(name))

    async def submit(self, form: SentForm, name: str) -> None:
        """Set what the form has; a box that is not ticked is not sent."""
        account = self.account(name)
        wanted = {
            "name": form.get("name", "").strip(),
            "priority": whole_number(form, "priority"),
            "concurrency": whole_number(form, "concurrency", is_optional=True),
            "websockets": "websockets" in form,
            "residency": form.get("residency", "").strip(),
        }
        if not account.is_chatgpt:
            wanted["chat_parameters"] = "chat_parameters" in form
        before = _settings(account)
        changes = {n: value for n, value in wanted.items() if value != before[n]}
        if not changes:
            self.back(account, "same")
            return
        await self.change(change_account, account.name, changes, self.actor)
        self.back(account, "changed")


def _settings(account: Account) -> dict[str, Any]:
    """What the form shows, as the admin API names it."""
    return {
        "name": account.name,
        "priority": account.priority,
        "concurrency": account.concurrency or None,
        "websockets": account.websockets,
        "residency": account.residency,
        "chat_parameters": account.takes_chat_parameters,
    }


def whole_number(form: SentForm, name: str, *, is_optional: bool = False) -> int | None:
    """Raises Unacceptable, at its field."""
    text = form.get(name, "").strip()
    if not text and is_optional:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        raise Unacceptable(f"{name}: give a whole number", param=name)
    return int(text)


def read_account(id: int, name: str) -> dict[str, Any]:
    """What only the database knows of it."""
    row = AccountRow.get_or_none(AccountRow.id == id)
    return {
        "added_at": row and row.created_at / 1000,
        "changes": changes_of("account", name, LATEST_CHANGES),
        "pauses": {name: latest_change(name, "account.pause")},
    }
