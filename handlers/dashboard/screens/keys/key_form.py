"""The form of a key's rules: what stands in it, and what it says when it is sent."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

from gateway.admin.errors import Unacceptable
from gateway.keys.key import Limit, Measure, parse_limit
from handlers.dashboard.forms import SentForm

# Rows of limits that a form has beyond those there are.
SPARE_LIMITS = 2
_LISTS = ("models", "tools", "aliases")
_NUMBERS = ("rpm", "concurrency")
_TEXTS = ("enforce_model", "enforce_effort", "enforce_tier", "unpriced", "expires")
_LIMIT_FIELDS = (
    "limit_measure",
    "limit_amount",
    "limit_window",
    "limit_model",
    "limit_open",
)
_MULTIPLES = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


@dataclass(frozen=True, slots=True)
class LimitFields:
    """A row of the form: one limit in four fields."""

    measure: str = Measure.TOKENS.value
    amount: str = ""
    window: str = ""
    model: str = ""
    open: str = ""  # what is not shown, and stays

    @classmethod
    def of(cls, limit: Limit) -> "LimitFields":
        model, is_open = limit.model or "", "open" if limit.is_open else ""
        return cls(limit.measure, _short(limit), limit.window, model, is_open)

    @property
    def text(self) -> str:
        """As `parse_limit` reads it."""
        text = f"{self.measure} {self.amount}/{self.window or '7d'}"
        text = f"{text} model={self.model}" if self.model else text
        return f"{text} open" if self.open else text


def _short(limit: Limit) -> str:
    """2000000 as 2M; dollars as they are."""
    amount = str(limit).split()[1].partition("/")[0]
    for size, letter in _MULTIPLES:
        if limit.measure is not Measure.COST and limit.maximum % size == 0:
            return f"{limit.maximum // size}{letter}"
    return amount


def rules_in(form: SentForm) -> dict[str, Any]:
    """All rules as the form has them, None or [] for none. Raises Unacceptable."""
    rules: dict[str, Any] = {
        "limits": [fields.text for fields in limits_in(form) if fields.amount],
        "accounts": form.many.get("accounts", []) or None,
    }
    for name in _LISTS:
        rules[name] = _lines(form.get(name, ""), name)
    for name in _TEXTS:
        rules[name] = form.get(name, "").strip() or None
    for name in _NUMBERS:
        rules[name] = _number(form.get(name, ""), name)
    return rules


def limits_in(form: SentForm) -> Iterator[LimitFields]:
    """The rows of the form, filled in or not."""
    columns = [map(str.strip, form.many.get(name, [])) for name in _LIMIT_FIELDS]
    for row in zip_longest(*columns, fillvalue=""):
        yield LimitFields(*row)


def _lines(text: str, name: str) -> list[str]:
    """What stands in each line; names of models may be divided by commas, too."""
    parts = re.split(r"[\n,]" if name == "models" else r"\n", text)
    return [part.strip() for part in parts if part.strip()]


def _number(text: str, name: str) -> int | None:
    plain = text.strip().replace(",", "")
    if not plain:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", plain, re.ASCII):
        raise Unacceptable(f"{text.strip()[:40]!r} is no whole number", param=name)
    return int(plain)


def given_rules(form: SentForm) -> dict[str, Any]:
    """The rules for a new key: those that the form names."""
    return {
        name: value for name, value in rules_in(form).items() if value not in (None, [])
    }


def changed_rules(form: SentForm, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What the form would have otherwise than a key is shown: those rules alone."""
    wanted = rules_in(form)
    wanted["limits"] = [_plain(text) for text in wanted["limits"]]
    if set(wanted["accounts"] or ()) == set(shown["accounts"] or ()):
        del wanted["accounts"]
    if form.get("expires", "").strip() == expiry_text(shown["expires_at"]):
        del wanted["expires"]
    name = form.get("name", "").strip()
    if "name" in form and name != shown["name"]:
        wanted["name"] = name
    return {
        rule: value
        for rule, value in wanted.items()
        if (value or None) != (shown.get(rule) or None) or rule == "expires"
    }


def _plain(text: str) -> str:
    """A limit as it is shown; with a mistake in it, as it was written."""
    try:
        return str(parse_limit(text))
    except ValueError:
        return text


def expiry_text(seconds: float | None) -> str:
    """As an expiry is written, to the second."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class KeyFields:
    """What stands in the form: of a key, of what was sent last, or of nothing."""

    texts: Mapping[str, str]
    limits: Sequence[LimitFields]
    accounts: frozenset[str]  # names

    def text(self, name: str) -> str:
        return self.texts.get(name, "")

    def is_set(self, *names: str) -> bool:
        """Whether one of them says something: then its part is not folded."""
        return any(self.text(name) for name in names)

    @classmethod
    def sent(cls, form: SentForm) -> "KeyFields":
        limits = [row for row in limits_in(form) if row.amount]
        chosen = frozenset(form.many.get("accounts", []))
        return cls(form, _with_spare(limits), chosen)

    @classmethod
    def of_key(cls, shown: Mapping[str, Any], limits: Sequence[Limit]) -> "KeyFields":
        """`shown` as `show_key` has it."""
        texts = {name: "\n".join(shown[name]) for name in _LISTS}
        for name in (*_NUMBERS, *_TEXTS[:-1], "name"):
            texts[name] = "" if shown[name] is None else str(shown[name])
        texts["expires"] = expiry_text(shown["expires_at"])
        rows = [LimitFields.of(limit) for limit in limits]
        return cls(texts, _with_spare(rows), frozenset(shown["accounts"] or ()))

    @classmethod
    def empty(cls) -> "KeyFields":
        return cls({}, _with_spare([]), frozenset())


def _with_spare(rows: list[LimitFields]) -> list[LimitFields]:
    return rows + [LimitFields()] * SPARE_LIMITS
