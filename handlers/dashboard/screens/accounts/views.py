"""Accounts as their pages show them, read from memory: in words, levels and shares."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from gateway.accounts.account import Account
from gateway.accounts.health import AccountStatus
from gateway.admin.views import show_account
from gateway.app import Gateway
from gateway.protocol.limit_windows import LEAST_PASSED
from gateway.upstream.logins.auth_json import claims
from handlers.dashboard.formats import window_label

ACCOUNTS_PATH = "/dashboard/accounts"
# How much a state that is not "active" is the matter.
_LEVELS: Mapping[str, str] = {
    AccountStatus.COOLING: "warn",
    AccountStatus.LIMITED: "warn",
    AccountStatus.REAUTH_REQUIRED: "bad",
    AccountStatus.TOKEN_ENDED: "bad",
}
_KINDS = {
    "login": "ChatGPT login",
    "access_token": "ChatGPT access token",
    "api_key": "API key",
}


class WindowView(NamedTuple):
    """A window under its own length and name; `shown` is as the admin API has it."""

    name: str
    resets_at: float | None  # None also of one that has been reset since
    runs_out_at: float | None  # before that, at its pace
    pace: str  # in a word; "runs out" where that is at `runs_out_at`
    shown: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AccountView:
    """All an account's pages show of it; `shown` is as the admin API has it."""

    path: str
    name: str
    state: str
    level: str  # "" when nothing is the matter
    kind: str
    plan: str
    banked: int | None
    has_banked: bool
    logged_in_at: float | None
    renewed_at: float | None
    windows: tuple[WindowView, ...]
    shown: Mapping[str, Any]


def account_path(account: Account) -> str:
    """By its name; a browser would take dots for a way up, and has the number then."""
    is_dots = re.fullmatch(r"\.{1,2}", account.name) is not None
    return f"{ACCOUNTS_PATH}/{account.id if is_dots else quote(account.name, safe='')}"


def account_view(gateway: Gateway, account: Account, now: float) -> AccountView:
    shown = show_account(account, now, gateway.pool.verdicts.base(account))
    banked = gateway.resets.known(account)
    told = _claims(account)
    return AccountView(
        path=account_path(account),
        name=account.name,
        state=shown["state"],
        level=_LEVELS.get(shown["state"], ""),
        kind=_KINDS[shown["auth"]],
        plan=account.plan or "",
        banked=None if banked is None else banked.available_count,
        has_banked=account.is_chatgpt,
        logged_in_at=_time(told, "auth_time", "pwd_auth_time"),
        renewed_at=_time(told, "iat"),
        windows=tuple(_window(one, now) for one in shown["windows"]),
        shown=shown,
    )


def _claims(account: Account) -> dict[str, Any]:
    """Of its login's tokens, the access token's before the other's."""
    held = account.credentials
    told: dict[str, Any] = {}
    for token in (held.id_token, held.access_token):
        told |= claims(token.reveal()) if token is not None else {}
    return told


def _time(told: Mapping[str, Any], *names: str) -> float | None:
    """Unix seconds, or ms, which some claims are in."""
    for name in names:
        value = told.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return value / 1000 if value > 1e11 else float(value)
    return None


def _window(window: Mapping[str, Any], now: float) -> WindowView:
    minutes, until = window["window_minutes"], window["resets_at"]
    end = window["runs_out_at"]
    is_ahead = end is not None and now < end and window["used_percent"] < 100
    return WindowView(
        name=window_label(minutes, window["name"], window["limit"]),
        resets_at=None if until is not None and until <= now else until,
        runs_out_at=end if is_ahead else None,
        pace=_pace(window, now),
        shown=window,
    )


def _pace(window: Mapping[str, Any], now: float) -> str:
    minutes, until = window["window_minutes"], window["resets_at"]
    if until is not None and until <= now:
        return "not used since its reset"
    if window["used_percent"] >= 100:
        return "used up"
    if window["runs_out_at"] is not None:
        return "runs out" if now < window["runs_out_at"] else "about to run out"
    if not minutes or until is None:
        return ""
    has_begun = 1 - (until - now) / (minutes * 60) >= LEAST_PASSED
    return "lasts" if has_begun else "pace not known yet"
