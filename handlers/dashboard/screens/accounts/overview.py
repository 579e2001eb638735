"""/dashboard/accounts: all accounts, how full they are and what is the matter."""

import time
from typing import Any

from gateway.accounts.account import Account
from gateway.admin.errors import Unacceptable
from gateway.admin.reports import latest_change
from gateway.store.models import AccountRow
from handlers.dashboard.base import PageHandler
from handlers.dashboard.screens.accounts.views import account_view

MOST_ACCOUNTS = 50


class AccountsScreen(PageHandler):
    async def get(self) -> None:
        number, gateway, now = self._page(), self.gateway, time.time()
        held = sorted(gateway.pool.accounts.values(), key=_order)
        first = (number - 1) * MOST_ACCOUNTS
        views = [
            account_view(gateway, one, now)
            for one in held[first : first + MOST_ACCOUNTS]
        ]
        gateway.resets.refresh()
        paused = [one.name for one in views if one.state == "paused"]
        await self.show(
            "accounts_table.html" if self.is_partial else "accounts.html",
            read_pauses_and_dates,
            paused,
            [one.shown["id"] for one in views],
            accounts=views,
            count=len(held),
            states=_counts(held, now),
            page=number,
            pages=max(1, -(-len(held) // MOST_ACCOUNTS)),
        )

    def _page(self) -> int:
        text = self.get_query_argument("page", "1")
        if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) < 10**6):
            raise Unacceptable("The page is a number from 1", param="page")
        return int(text)


def _order(account: Account) -> tuple[int, str]:
    return account.priority, account.name.casefold()


def _counts(accounts: list[Account], now: float) -> dict[str, int]:
    found: dict[str, int] = {}
    for account in accounts:
        state = account.health.status(now).value
        found[state] = found.get(state, 0) + 1
    return found


def read_pauses_and_dates(paused: list[str], ids: list[int]) -> dict[str, Any]:
    """Who paused these, and since when those are here (unix seconds)."""
    row = AccountRow
    rows = row.select(row.id, row.created_at).where(row.id.in_(ids))
    return {
        "pauses": {one: latest_change(one, "account.pause") for one in paused},
        "added": {one.id: one.created_at / 1000 for one in rows},
    }
