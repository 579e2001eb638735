"""An account's status, windows and failures as plain values."""

from typing import Any

from gateway.accounts.account import Account, SeenWindow


def describe_account(account: Account, now: float) -> dict[str, Any]:
    """State, reason and numbers with their age; times in unix seconds, no secrets."""
    health = account.health
    error = health.last_error
    return {
        "state": health.status(now).value,
        "why": health.why(now),
        "until": health.until(now),
        "windows": [_window(seen, now) for seen in account.windows.values()],
        "has_credits": account.has_credits,
        "in_flight": account.in_flight,
        "failures": health.failures,
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
