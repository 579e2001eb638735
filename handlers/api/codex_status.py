"""The pool's windows as the Codex client's `/status` reads them. Pure."""

from collections.abc import Iterable
from typing import Any

from gateway.accounts.account import Account
from gateway.protocol.facts import WINDOW_NAMES, Window
from gateway.protocol.limit_windows import SeenWindow

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
    by_name: dict[str, list[SeenWindow]] = {}
    for account in accounts:
        if account.is_chatgpt and account.health.is_in_service:
            for name, seen in account.windows.items():
                length = seen.window.window_minutes or name
                by_length.setdefault(length, []).append(seen)
            for name, seen in account.named_windows.items():
                by_name.setdefault(name, []).append(seen)
    of_models = [_average(name, seen, now) for name, seen in by_name.items()]
    if not by_length:
        return (*NEUTRAL, *of_models)
    common = sorted(by_length.values(), key=len, reverse=True)[: len(WINDOW_NAMES)]
    common.sort(key=_place)
    named = zip(WINDOW_NAMES, common, strict=False)
    return (*(_average(name, seen, now) for name, seen in named), *of_models)


def _place(seen: list[SeenWindow]) -> tuple[str, int]:
    """Where upstream puts a window; of two in one place the shorter goes first."""
    first = min(one.window.name for one in seen)
    return first, seen[0].window.window_minutes or 0


def _average(name: str, seen: list[SeenWindow], now: float) -> Window:
    used = sum(one.used_percent(now) for one in seen) / len(seen)
    resets = [one.window.resets_at for one in seen if one.window.resets_at is not None]
    coming = min((at for at in resets if at > now), default=None)
    return seen[0].window._replace(name=name, used_percent=used, resets_at=coming)


def usage_body(windows: Iterable[Window], plan_type: str, now: float) -> dict[str, Any]:
    """The body of `GET /wham/usage`."""
    own: list[Window] = []
    of_models: dict[tuple[str, str], list[Window]] = {}
    for window in windows:
        if window.limit is None:
            own.append(window)
        else:
            id, _, place = window.name.rpartition(" ")
            named = of_models.setdefault((id, window.limit), [])
            named.append(window._replace(name=place))
    return {
        "plan_type": plan_type,
        "rate_limit": _rate_limit(own, now),
        "credits": {"has_credits": False, "unlimited": False, "balance": "0"},
        "additional_rate_limits": [
            {
                "limit_name": limit,
                "metered_feature": id,
                "rate_limit": _rate_limit(named, now),
            }
            for (id, limit), named in of_models.items()
        ],
    }


def _rate_limit(windows: list[Window], now: float) -> dict[str, Any]:
    by_name = {window.name: window for window in windows}
    reached = any(window.used_percent >= 100 for window in windows)
    told: dict[str, Any] = {"allowed": not reached, "limit_reached": reached}
    for name in WINDOW_NAMES:
        window = by_name.get(name)
        told[f"{name}_window"] = None if window is None else _window(window, now)
    return told


def _window(window: Window, now: float) -> dict[str, int]:
    seconds = (window.window_minutes or 0) * 60  # 0: the client shows no length
    resets_at = window.resets_at if window.resets_at is not None else now + seconds
    return {
        "used_percent": round(window.used_percent),
        "limit_window_seconds": seconds,
        "reset_after_seconds": max(0, round(resets_at - now)),
        "reset_at": round(resets_at),
    }
