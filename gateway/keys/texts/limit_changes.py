"""Changes to single limits of a key: one more, another maximum, one less. Pure."""

import re
from collections.abc import Iterable
from dataclasses import replace

from gateway.keys.key import Limit, parse_limit
from gateway.keys.texts.times import parse_duration, short_duration

_CHANGE = re.compile(
    r"(?P<measure>[a-z]+)(?:\s*(?P<sign>[+-])?\s*\$?(?P<amount>[0-9][0-9.]*[kmg]?))?"
    r"(?:\s*(?:/|\bper\b)\s*(?P<window>[0-9a-z., ]+?))?(?:\s+model=(?P<model>\S+))?",
    re.IGNORECASE | re.ASCII,
)
_LONGEST_CHANGE = 300


def add_limit(limits: Iterable[Limit], text: str) -> list[Limit]:
    """With "tokens 2M/7d" beside the others. Raises ValueError."""
    held, new = list(limits), parse_limit(text)
    for one in held:
        if _what(one) == _what(new):
            raise ValueError(f"there is {str(one)!r} already: raise it, or drop it")
    return [*held, new]


def raise_limit(limits: Iterable[Limit], text: str) -> list[Limit]:
    """With "tokens +2M" on top of the one limit that is meant. Raises ValueError."""
    held, match = list(limits), _read(text)
    if match is None or not match["sign"] or not match["amount"]:
        raise ValueError(
            f"{text!r}: write MEASURE +AMOUNT[/WINDOW] [model=GLOB], as in "
            "'tokens +2M' or 'cost -5/30d'"
        )
    meant = _meant(held, text, match)
    more = parse_limit(f"{meant.measure} {match['amount']}/{meant.window}").maximum
    raised = meant.maximum + (more if match["sign"] == "+" else -more)
    if raised <= 0:
        raise ValueError(f"{text!r}: of {str(meant)!r} nothing would be left")
    new = parse_limit(str(replace(meant, maximum=raised)))
    return [new if one is meant else one for one in held]


def drop_limit(limits: Iterable[Limit], text: str) -> list[Limit]:
    """Without the one limit that "tokens", "cost/30d" means. Raises ValueError."""
    held, match = list(limits), _read(text)
    if match is None or match["sign"]:
        raise ValueError(
            f"{text!r}: write MEASURE[/WINDOW] [model=GLOB], as in 'tokens' or "
            "'cost/30d model=gpt-5*'"
        )
    meant = _meant(held, text, match)
    return [one for one in held if one is not meant]


def lost_limits(before: Iterable[str], after: Iterable[str]) -> list[str]:
    """The texts of limits that went, and not only to another maximum."""
    kept = {_what(parse_limit(text)) for text in after}
    return [text for text in before if _what(parse_limit(text)) not in kept]


def _what(limit: Limit) -> tuple[str, str, str | None]:
    return limit.measure, limit.window, limit.model


def _read(text: str) -> re.Match[str] | None:
    is_short = len(text) <= _LONGEST_CHANGE
    return _CHANGE.fullmatch(text.strip()) if is_short else None


def _meant(held: list[Limit], text: str, match: re.Match[str]) -> Limit:
    window = match["window"] and short_duration(parse_duration(match["window"]) or 0)
    found = [
        one
        for one in held
        if one.measure == match["measure"].lower()
        and window in (None, one.window)
        and match["model"] in (None, one.model)
    ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(map(repr, map(str, found or held)))
    if found:
        raise ValueError(f"{text!r} may be any of {names}: say its window or model")
    raise ValueError(f"{text!r}: the key has {names if held else 'no limits'}")
