"""An account's health as the database keeps it between two processes."""

import json
from dataclasses import asdict, replace
from typing import Any

from gateway.accounts.account import Account
from gateway.accounts.health import AccountLimit
from gateway.protocol.facts import WINDOW_NAMES, Window
from gateway.protocol.lenient_json import child, text
from gateway.protocol.limit_windows import SeenWindow, window_of
from gateway.protocol.numbers import reset_time, unix_time
from gateway.repository.description import _window
from gateway.store.write_queue import StoredHealth


def to_keep(account: Account, now: float) -> StoredHealth:
    """What the database keeps of an account: facts, of which none hides another.

    That it is paused has a column of its own.
    """
    state = replace(account.health, paused=False)
    until, limit, error = state.until(now), state.limit, state.last_error
    detail = {
        "windows": [_window(seen, now) for seen in account.windows.values()],
        "has_credits": account.has_credits,
        "limit": limit and asdict(limit),
        "login": state.login_reason
        and {
            "reason": state.login_reason,
            "by": state.login_by,
            "since": state.login_since,
            "of": account.credentials.fingerprint,
        },
        "last_error": error and asdict(error),
    }
    return StoredHealth(
        kind=state.status(now).value,
        until=None if until is None else int(until * 1000),
        reason=state.why(now) or None,
        detail=json.dumps(detail),
    )


def restore(account: Account, kept: dict[str, Any], now: float) -> None:
    """Take up the detail of `to_keep` from an earlier moment, where it still holds.

    A lost login was that of certain credentials: the account has its own already,
    and they may be newer. Marks belong to connections that are gone.
    """
    windows = kept.get("windows")
    for told in windows if isinstance(windows, list) else []:
        window = _read_window(told, now)
        seen_at = unix_time(told.get("seen_at")) if isinstance(told, dict) else None
        if window is not None and seen_at is not None:
            # Not live any more: the first poll may replace it.
            account.windows[window.name] = SeenWindow(window, min(seen_at, now), False)
    account.has_credits = kept.get("has_credits") is True
    limit = child(kept, "limit")
    until = reset_time(limit.get("until"), None, now)
    if until is not None and until > now:
        since = min(unix_time(limit.get("since")) or now, now)
        account.health.limit = AccountLimit(
            text(limit.get("window")) or "usage",
            since,
            until,
            text(limit.get("by")) or "",
            # Earlier releases took any refusal for one: a judge is asked anew.
            is_confirmed=limit.get("is_confirmed") is True,
        )
    login = child(kept, "login")
    if login.get("of") == account.credentials.fingerprint:
        account.health.require_login(
            text(login.get("reason")) or "login required",
            text(login.get("by")) or "",
            unix_time(login.get("since")),
        )
    if error := child(kept, "last_error"):
        account.health.note(
            text(error.get("message")) or "", unix_time(error.get("at")) or now
        )


def _read_window(told: Any, now: float) -> Window | None:
    if not isinstance(told, dict) or told.get("name") not in WINDOW_NAMES:
        return None
    used, minutes, resets_at = (told.get(name) for name in Window._fields[1:4])
    return window_of(told["name"], used, minutes, resets_at, now)
