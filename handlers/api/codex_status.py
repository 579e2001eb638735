"""The pool's windows as the Codex client's `/status` reads them. Pure."""

from collections.abc import Iterable
from typing import Any

from gateway.accounts.account import Account, SeenWindow
from gateway.protocol.facts import WINDOW_NAMES, Window, WindowName

# Shown to keys that must not see the accounts' own windows: nothing is used up.
NEUTRAL = (
    Window("primary", 0.0, 300, None),
    Window("secondary", 0.0, 10_080, None),
)


def pool_windows(accounts: Iterable[Account], now: float) -> tuple[Window, ...]:
    """Averages over the subscriptions in service, of windows of the same length.

    A window is what its length says, wherever an account has it: some have the weekly
    one first, or alone. The client knows two: those that most accounts have.
    """
    by_length: dict[object, list[SeenWindow]] = {}
    for account in accounts:
        if account.is_chatgpt and account.health.is_in_service:
            for name, seen in account.windows.items():
                length = seen.window.window_minutes or name
                by_length.setdefault(length, []).append(seen)
    if not by_length:
        return NEUTRAL
    common = sorted(by_length.values(), key=len, reverse=True)[: len(WINDOW_NAMES)]
    common.sort(key=_place)
    named = zip(WINDOW_NAMES, common, strict=False)
    return tuple(_average(name, seen, now) for name, seen in named)


def _place(seen: list[SeenWindow]) -> tuple[str, int]:
    """Where upstream puts a window; of two in one place the shorter goes first."""
    first = min(one.window.name for one in seen)
    return first, seen[0].window.window_minutes or 0


def _average(name: WindowName, seen: list[SeenWindow], now: float) -> Window:
    used = sum(one.used_percent(now) for one in seen) / len(seen)
    resets = [one.window.resets_at for one in seen if one.window.resets_at is not None]
    coming = min((at for at in resets if at > now), default=None)
    return Window(name, used, seen[0].window.window_minutes, coming)


def usage_body(windows: Iterable[Window], plan_type: str, now: float) -> dict[str, Any]:
    """The body of `GET /wham/usage`."""
    by_name: dict[str, Window] = {window.name: window for window in windows}
    reached = any(window.used_percent >= 100 for window in by_name.values())
    rate_limit: dict[str, Any] = {"allowed": not reached, "limit_reached": reached}
    for name in WINDOW_NAMES:
        window = by_name.get(name)
        rate_limit[f"{name}_window"] = None if window is None else _window(window, now)
    return {
        "plan_type": plan_type,
        "rate_limit": rate_limit,
        "credits": {"has_credits": False, "unlimited": False, "balance": "0"},
        "additional_rate_limits": [],
    }


def _window(window: Window, now: float) -> dict[str, int]:
    seconds = (window.window_minutes or 0) * 60  # 0: the client shows no length
    resets_at = window.resets_at if window.resets_at is not None else now + seconds
    return {
        "used_percent": round(window.used_percent),
        "limit_window_seconds": seconds,
        "reset_after_seconds": max(0, round(resets_at - now)),
        "reset_at": round(resets_at),
    }
