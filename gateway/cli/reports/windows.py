"""How full accounts and keys are, as rows of tables: one for each window."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.cli.output import format_duration, format_time
from gateway.cli.screen.columns import Column, columns
from gateway.cli.screen.fitting import is_narrow
from gateway.protocol.limit_windows import LEAST_PASSED

Row = Mapping[str, Any]

_PACE = {"lasts": "green", "-": "dim", "": "yellow"}
_STATES = {
    "active": "green",
    "paused": "dim",
    "reauth_required": "red",
    "token_ended": "red",
    "": "yellow",
}


def window_columns(first: str, last: str = "", extra: str = "") -> list[Column]:
    """`first`, what there is of every window, `last`."""
    return columns(
        f"{first} window used resets_in runs_out_in {last}",
        numbers="id turns used",
        shares="used",
        whole="window resets_in runs_out_in resets_at last_used",
        extra=extra,
        state=_STATES,
        runs_out_in=_PACE,
    )


def account_rows(accounts: Iterable[Row], now: float) -> Iterator[dict[str, Any]]:
    """Of accounts as `/api/accounts` has them; what is no window's comes once."""
    for account in accounts:
        facts = _account_facts(account, now)
        named = {"account": account["name"], "state": account["state"]}
        for window in account["windows"] or [None]:
            yield named | facts | ({} if window is None else _window(window, now))
            facts = {}


def _account_facts(account: Row, now: float) -> dict[str, Any]:
    error, why = account["last_error"], account["why"]
    until = account["until"] and f" for {time_left(account['until'] - now)}"
    ago = error and f"{format_duration(now - error['at'])} ago: {error['message']}"
    ends = account["token_expires_at"] if account["auth"] == "access_token" else None
    return {
        "id": account["id"],
        "plan": account["plan"] or ("API key" * (account["kind"] == "api_key")),
        "turns": account["in_flight"],
        "why": f"{why}{until or ''}" if why else None,
        "token_ends": ends and moment(ends),
        "last_error": ago and ago[:70],
    }


def _window(window: Row, now: float) -> dict[str, Any]:
    """Whose it is and how long: which place it has says neither."""
    minutes, until = window["window_minutes"], window["resets_at"]
    length = window["name"] if minutes is None else format_duration(minutes * 60)
    since = None if minutes is None or until is None else until - minutes * 60
    return {
        "window": f"{window['limit']} {length}" if window["limit"] else length,
        "used": f"{window['used_percent']:.0f} %",
        "resets_in": (until and until > now and time_left(until - now)) or None,
        "resets_at": until and moment(until),
        "runs_out_in": pace(window, since, now),
        "age": format_duration(window["age"]),
    }


def limit_rows_of(limits: Iterable[Row], now: float) -> Iterator[dict[str, Any]]:
    """Of keys' limits as `/api/status` has them."""
    for one in limits:
        yield {
            "key": one["key"],
            "window": short_limit(one["limit"]),
            "used": f"{one['used_percent']:.0f} %",
            "amount": amount(one["limit"].split()[0], one["used"]),
            "resets_in": time_left(one["resets_at"] - now),
            "runs_out_in": pace(one, one["began_at"], now),
        }


def time_left(seconds: float) -> str:
    """In two units: of hours, the minutes matter."""
    minutes = max(0, round(seconds / 60))
    for unit, size, smaller, part in (("d", 1440, "h", 60), ("h", 60, "min", 1)):
        if minutes >= size:
            whole, rest = divmod(minutes, size)
            return f"{whole} {unit} {rest // part} {smaller}"
    return f"{minutes} min"


def moment(seconds: float) -> str:
    """A time to the minute, on a narrow terminal without its year."""
    return format_time(seconds)[5 if is_narrow() else 0 : -3]


def short_limit(limit: str) -> str:
    """`tokens 2000000/7d` as `tokens 2M/7d`, which it can be written as, too."""
    for zeros, letter in (("000000", "M"), ("000", "k")):
        limit = re.sub(rf"(?<=\d){zeros}(?=/)", letter, limit)
    return limit


def pace(window: Row, since: float | None, now: float) -> str | None:
    """When it runs out; None: too little of it has passed, or is known."""
    end, until = window["runs_out_at"], window["resets_at"]
    if end is not None:
        return time_left(end - now) if end > now else "now"
    if since is None or now - since < LEAST_PASSED * (until - since) or until <= now:
        return None
    return "lasts"


def unpriced_note(used: Mapping[str, Any]) -> str:
    """What a cost limit counted at the dearest known."""
    count = used.get("unpriced_requests")
    return f" ({count:,} unpriced)" if count else ""


def amount(measure: str, number: int) -> str:
    """Tokens, requests or dollars."""
    if measure.startswith("cost"):
        return f"${number / 1_000_000:,.2f}"
    return f"{number:,}"
