"""An account's state as people and the database see it."""

from typing import Any

from gateway.accounts.account import Account, SeenWindow
from gateway.accounts.state import Limit, Status
from gateway.protocol.facts import Window
from gateway.protocol.loose import child, number, text


def describe(account: Account, now: float) -> dict[str, Any]:
    """State, reason and numbers with their age; times in unix seconds, no secrets."""
    state = account.state
    error = state.last_error
    return {
        "state": state.status(now).value,
        "why": state.why(now),
        "until": state.until(now),
        "windows": [_window(seen, now) for seen in account.windows.values()],
        "has_credits": account.has_credits,
        "in_flight": account.in_flight,
        "failures": state.failures,
        "last_error": error and {"message": error.message, "at": error.at},
        "models": len(account.catalogue.models) if account.catalogue else None,
    }


def _window(seen: SeenWindow, now: float) -> dict[str, Any]:
    return {
        "name": seen.window.name,
        "used_percent": seen.used_percent(now),
        "window_minutes": seen.window.window_minutes,
        "resets_at": seen.window.resets_at,
        "seen_at": seen.at,
        "age": max(0.0, now - seen.at),
        "live": seen.live,
    }


def restore(account: Account, described: dict[str, Any], now: float) -> None:
    """Take up what `describe` said in an earlier process, where it still holds.

    Cooldowns are left behind: they belong to connections that are gone.
    """
    windows = described.get("windows")
    for told in windows if isinstance(windows, list) else []:
        window = _read_window(told)
        seen_at = number(told.get("seen_at")) if isinstance(told, dict) else None
        if window is not None and seen_at is not None:
            # Not live any more: the first poll may replace it.
            account.windows[window.name] = SeenWindow(window, seen_at, False)
    account.has_credits = described.get("has_credits") is True
    until = number(described.get("until"))
    if described.get("state") == Status.LIMITED and until is not None and until > now:
        name = (text(described.get("why")) or "usage limit").removesuffix(" limit")
        account.state.limit = Limit(name, now, until)
    elif described.get("state") == Status.REAUTH_REQUIRED:
        account.state.require_login(text(described.get("why")) or "login required")
    if child(described, "last_error"):
        error = child(described, "last_error")
        account.state.note(
            text(error.get("message")) or "", number(error.get("at")) or now
        )


def _read_window(told: Any) -> Window | None:
    if not isinstance(told, dict) or told.get("name") not in ("primary", "secondary"):
        return None
    used = number(told.get("used_percent"))
    if used is None:
        return None
    minutes = number(told.get("window_minutes"))
    return Window(
        name=told["name"],
        used_percent=used,
        window_minutes=None if minutes is None else int(minutes),
        resets_at=number(told.get("resets_at")),
    )
