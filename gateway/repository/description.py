"""An account's status, windows and failures as plain values."""

from typing import Any

from gateway.accounts.account import Account
from gateway.accounts.health import AccountStatus
from gateway.accounts.verdicts import BaseUrl
from gateway.protocol.limit_windows import SeenWindow


def describe_account(
    account: Account, now: float, base: BaseUrl | None = None
) -> dict[str, Any]:
    """State, reason and numbers with their age; times in unix seconds, no secrets.

    `base`: what holds of its base URL, where a running process knows.
    """
    health = account.health
    error = health.last_error
    state, why = health.status(now), health.why(now)
    since, until = health.since(now), health.until(now)
    if state is AccountStatus.ACTIVE and base is not None and base.edge_until > now:
        state, since, until = AccountStatus.COOLING, None, base.edge_until
        why = "upstream's edge refuses this gateway's address"
    return {
        "state": state.value,
        "why": why,
        "since": since,
        "until": until,
        "windows": [_window(seen, now) for seen in account.all_windows()],
        "has_credits": account.has_credits,
        "in_flight": account.in_flight,
        "failures": health.failures,
        "last_error": error and {"message": error.message, "at": error.at},
        "models": len(account.catalogue.models) if account.catalogue else None,
    }


def _window(seen: SeenWindow, now: float) -> dict[str, Any]:
    return {
        "name": seen.window.name,
        "limit": seen.window.limit,
        "used_percent": seen.used_percent(now),
        "window_minutes": seen.window.window_minutes,
        "resets_at": seen.window.resets_at,
        "runs_out_at": seen.runs_out_at(now),
        "seen_at": seen.at,
        "age": max(0.0, now - seen.at),
        "live": seen.live,
    }
