"""The pool's windows as the Codex client's `/status` reads them. Pure."""

from collections.abc import Iterable
from typing import Any

from gateway.accounts.account import Account, SeenWindow
from gateway.protocol.facts import Window

# Shown to keys that must not see the accounts' own windows: nothing is used up.
NEUTRAL = (
    Window("primary", 0.0, 300, None),
    Window("secondary", 0.0, 10_080, None),
)
_DEFAULT_MINUTES = {"primary": 300, "secondary": 10_080}


def pool_windows(accounts: Iterable[Account], now: float) -> tuple[Window, ...]:
    """Averages over the subscriptions in service; resets at the first one's."""
    serving = [
        account
        for account in accounts
        if account.is_chatgpt and account.health.is_in_service
    ]
    shown = []
    for neutral in NEUTRAL:
        seen = [a.windows[neutral.name] for a in serving if neutral.name in a.windows]
        shown.append(_average(neutral, seen, now) if seen else neutral)
    return tuple(shown)


def _average(neutral: Window, seen: list[SeenWindow], now: float) -> Window:
    used = sum(one.used_percent(now) for one in seen) / len(seen)
    resets = [one.window.resets_at for one in seen if one.window.resets_at is not None]
    coming = [at for at in resets if at > now]
    minutes = seen[0].window.window_minutes
    return Window(
        neutral.name,
        used,
        minutes or neutral.window_minutes,
        min(coming, default=None),
    )


def usage_body(windows: Iterable[Window], plan_type: str, now: float) -> dict[str, Any]:
    """The body of `GET /wham/usage`."""
    by_name: dict[str, Window] = {window.name: window for window in windows}
    reached = any(window.used_percent >= 100 for window in by_name.values())
    rate_limit: dict[str, Any] = {"allowed": not reached, "limit_reached": reached}
    for name, minutes in _DEFAULT_MINUTES.items():
        window = by_name.get(name)
        rate_limit[f"{name}_window"] = (
            None if window is None else _window(window, minutes, now)
        )
    return {
        "plan_type": plan_type,
        "rate_limit": rate_limit,
        "credits": {"has_credits": False, "unlimited": False, "balance": "0"},
        "additional_rate_limits": [],
    }


def _window(window: Window, minutes: int, now: float) -> dict[str, int]:
    seconds = (window.window_minutes or minutes) * 60
    resets_at = window.resets_at if window.resets_at is not None else now + seconds
    return {
        "used_percent": round(window.used_percent),
        "limit_window_seconds": seconds,
        "reset_after_seconds": max(0, round(resets_at - now)),
        "reset_at": round(resets_at),
    }
