"""What an operator writes about a key, as its row and its limits' rows have it."""

import json
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

from gateway.admin.entity import Field
from gateway.admin.errors import Unacceptable
from gateway.admin.key_rules.entities import KEY_CHANGE, LIMIT_CHANGES
from gateway.admin.names import find_row
from gateway.admin.rules import stored_rules
from gateway.keys import key
from gateway.keys.texts.limit_changes import add_limit, drop_limit, raise_limit
from gateway.keys.texts.times import DAY, parse_duration, parse_moment
from gateway.repository import options
from gateway.repository.keys import limits_of
from gateway.repository.row_ids import fresh_id
from gateway.store.models import (
    AccountRow,
    ApiKeyLimitRow,
    ApiKeyRow,
    LimitCounterRow,
    now_ms,
)
from gateway.store.shared.grants import remove_of_limit

LONGEST_OVERLAP = 366 * DAY  # seconds
_NO_END = ("never", "none")
_CHANGES: dict[str, Callable[[Iterable[key.Limit], str], list[key.Limit]]] = {
    "drop_limits": drop_limit,
    "raise_limits": raise_limit,
    "add_limits": add_limit,
}


def apply_rules(row: ApiKeyRow, rules: dict[str, Any]) -> None:
    """Set what `KEY_CHANGE` describes, None taking a rule away. Raises Unacceptable."""
    for rule, value in rules.items():
        field = KEY_CHANGE[rule]
        if rule != "limits" and field not in LIMIT_CHANGES:
            setattr(row, field.column or rule, _stored(field, value))
    _check_enforced_model(row)
    row.save()
    if "limits" in rules:
        _set_limits(row, rules["limits"] or ())
    for name, change in _CHANGES.items():
        for text in rules.get(name) or ():
            try:
                changed = change(limits_of(row), text)
            except ValueError as error:
                raise Unacceptable(f"{name}: {error}", param=name) from error
            _set_limits(row, list(map(str, changed)))


def _check_enforced_model(row: ApiKeyRow) -> None:
    """A key that may not use the model it is made to use could do nothing."""
    globs = json.loads(row.models or "[]")
    model = row.enforced_model
    if globs and model and not any(fnmatchcase(model, glob) for glob in globs):
        raise Unacceptable(
            f"the enforced model {model} is not among the key's models",
            param="enforce_model",
        )


def _stored(field: Field, value: Any) -> Any:
    """A rule's value as its column has it. Raises Unacceptable."""
    if field.type is bool:
        return bool(value)
    if value is None or value in ([], ()):
        return None
    if field.type is int:
        return field.check_bounds(value)
    reader = _READERS.get(field.name)
    return value if reader is None else reader(field.name, value)


def _pattern(rule: str, text: str) -> str:
    text = text.strip()
    if not text or len(text) > 120 or not text.isprintable():
        raise Unacceptable(f"{rule}: a model has 1 to 120 characters", param=rule)
    return text


def _patterns(rule: str, texts: list[str]) -> str:
    return json.dumps([_pattern(rule, text) for text in texts])


def _accounts(rule: str, names: list[str]) -> str:
    return json.dumps(sorted({find_row(AccountRow, name).id for name in names}))


def _effort(rule: str, value: str) -> str:
    if not key.is_word(value):
        raise Unacceptable("effort is a word, as in low or xhigh", param=rule)
    return value


def _tier(rule: str, value: str) -> str:
    if not key.is_word(value):
        raise Unacceptable("tier is a word, as in flex or priority", param=rule)
    return "priority" if value == "fast" else value


def _expiry(rule: str, text: str) -> int | None:
    if text.strip().lower() in _NO_END:
        return None
    try:
        return key.parse_expiry(text, now_ms() / 1000) * 1000
    except ValueError as error:
        raise Unacceptable(str(error), param=rule) from error


def read_overlap(text: str | None) -> int | None:
    """Unix seconds at which an overlap ends; None for none. Raises Unacceptable."""
    if text is None or not text.strip():
        return None
    now = now_ms() / 1000
    seconds = parse_duration(text)
    try:
        end = parse_moment(text, now, ahead=True) if seconds is None else now + seconds
    except ValueError as error:
        raise Unacceptable(f"overlap {error}", param="overlap") from error
    if not now < end <= now + LONGEST_OVERLAP:
        words = f"overlap {text!r}: it has to end in the future, within a year"
        raise Unacceptable(words, param="overlap")
    return int(end)


def _rules(rule: str, texts: list[str]) -> str:
    return stored_rules(rule, texts, options.load_rules().aliases)


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "models": _patterns,
    "accounts": _accounts,
    "enforce_model": _pattern,
    "enforce_effort": _effort,
    "enforce_tier": _tier,
    "expires": _expiry,
    "tools": _rules,
    "aliases": _rules,
}


def _set_limits(row: ApiKeyRow, texts: list[str] | tuple[str, ...]) -> None:
    """A limit that stays, even with another maximum, keeps its counter."""
    try:
        wanted = {
            (limit.measure.value, limit.window, limit.model): limit
            for limit in map(key.parse_limit, texts)
        }
    except ValueError as error:
        raise Unacceptable(str(error), param="limits") from error
    if len(wanted) < len(texts):
        raise Unacceptable(
            "limits: two of the same measure, window and model", param="limits"
        )
    for held in ApiKeyLimitRow.select().where(ApiKeyLimitRow.api_key == row.id):
        new = wanted.pop((held.measure, held.window, held.model), None)
        if new is None:
            _remove_limit(held)
        elif (new.maximum, new.is_open) != (held.maximum, held.is_open):
            held.maximum, held.is_open = new.maximum, new.is_open
            held.save(only=["maximum", "is_open"])
    for (measure, window, model), new in wanted.items():
        ApiKeyLimitRow.create(
            force_insert=True,
            id=fresh_id(ApiKeyLimitRow),
            api_key=row.id,
            measure=measure,
            window=window,
            model=model,
            maximum=new.maximum,
            is_open=new.is_open,
        )


def _remove_limit(limit: ApiKeyLimitRow) -> None:
    LimitCounterRow.delete().where(LimitCounterRow.limit_id == limit.id).execute()
    remove_of_limit(limit.id)
    ApiKeyLimitRow.delete().where(ApiKeyLimitRow.id == limit.id).execute()
