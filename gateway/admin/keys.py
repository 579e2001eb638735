"""The operator's changes to API keys; `name` also takes a key's number."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from gateway.admin.entities import KEY_CHANGE, MADE_KEY
from gateway.admin.entity import Field
from gateway.admin.errors import Unacceptable
from gateway.admin.names import find_row, free_name
from gateway.admin.rules import stored_rules
from gateway.keys import key
from gateway.repository import audit, options
from gateway.repository.keys import KEYS_EVER_MADE, keys_ever_made
from gateway.repository.row_ids import fresh_id
from gateway.secret import Secret
from gateway.store.models import (
    AccountRow,
    ApiKeyLimitRow,
    ApiKeyRow,
    LimitCounterRow,
    now_ms,
)


@dataclass(frozen=True, slots=True)
class Made:
    """A token, shown this once; `is_first`: from now on everybody needs a key."""

    name: str
    token: Secret
    prefix: str
    is_first: bool = False

    def shown(self) -> dict[str, Any]:
        return MADE_KEY.shown(self, key=self.token.reveal())


def create_key(name: str, rules: dict[str, Any], actor: str) -> Made:
    """Make a key. `rules`, all optional, as `change` takes them.

    Raises Unacceptable, NotThere for an account, AlreadyThere for a name.
    """
    name = free_name(ApiKeyRow, name)
    is_first = not keys_ever_made()
    token = key.generate()
    row = ApiKeyRow.create(
        force_insert=True,
        id=fresh_id(ApiKeyRow),
        name=name,
        prefix=key.prefix(token),
        digest=key.digest(token),
    )
    options.write(KEYS_EVER_MADE, "1")
    _apply(row, rules)
    audit.record(actor, "key.create", name, prefix=row.prefix, **rules)
    return Made(name, Secret(token), row.prefix, is_first)


def change_key(name: str, rules: dict[str, Any], actor: str) -> str:
    """Set rules; None takes one away. Gives the name.

    `models` globs, `accounts` names, `enforce_model`, `enforce_effort`,
    `enforce_tier`, `rpm`, `concurrency`, `expires` ("90d" or a date), `disabled`,
    `name`, `tools`, `aliases`, `limits` (texts, all of them: one that is not among
    them goes).
    """
    row = find_row(ApiKeyRow, name)
    before = str(row.name)
    if "name" in rules and rules["name"] != row.name:
        rules = {**rules, "name": free_name(ApiKeyRow, rules["name"])}
    _apply(row, rules)
    audit.record(actor, "key.update", before, **rules)
    return str(row.name)


def replace_token(name: str, actor: str) -> Made:
    """A new token with the same rules; the old one is refused from now on."""
    row = find_row(ApiKeyRow, name)
    token = key.generate()
    row.prefix, row.digest = key.prefix(token), key.digest(token)
    row.save(only=["prefix", "digest"])
    audit.record(actor, "key.rotate", row.name, prefix=row.prefix)
    return Made(row.name, Secret(token), row.prefix)


def remove_key(name: str, actor: str) -> str:
    """Forget the key; what it did stays in the log."""
    row = find_row(ApiKeyRow, name)
    for limit in ApiKeyLimitRow.select().where(ApiKeyLimitRow.api_key == row.id):
        _remove_limit(limit)
    ApiKeyRow.delete().where(ApiKeyRow.id == row.id).execute()
    audit.record(actor, "key.remove", row.name, id=row.id, prefix=row.prefix)
    return str(row.name)


def _apply(row: ApiKeyRow, rules: dict[str, Any]) -> None:
    for rule, value in rules.items():
        field = KEY_CHANGE[rule]
        if rule != "limits":
            setattr(row, field.column or rule, _stored(field, value))
    _check_enforced_model(row)
    row.save()
    if "limits" in rules:
        _set_limits(row, rules["limits"] or ())


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
    if value not in key.EFFORTS:
        raise Unacceptable(f"effort is one of {', '.join(key.EFFORTS)}", param=rule)
    return value


def _tier(rule: str, value: str) -> str:
    if value not in key.TIERS:
        raise Unacceptable(f"tier is one of {', '.join(key.TIERS)}", param=rule)
    return "priority" if value == "fast" else value


def _expiry(rule: str, text: str) -> int:
    try:
        return key.parse_expiry(text, now_ms() / 1000) * 1000
    except ValueError as error:
        raise Unacceptable(str(error), param=rule) from error


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
            (limit.measure.value, limit.window, limit.model): limit.maximum
            for limit in map(key.parse_limit, texts)
        }
    except ValueError as error:
        raise Unacceptable(str(error), param="limits") from error
    if len(wanted) < len(texts):
        raise Unacceptable(
            "limits: two of the same measure, window and model", param="limits"
        )
    for held in ApiKeyLimitRow.select().where(ApiKeyLimitRow.api_key == row.id):
        maximum = wanted.pop((held.measure, held.window, held.model), None)
        if maximum is None:
            _remove_limit(held)
        elif maximum != held.maximum:
            held.maximum = maximum
            held.save(only=["maximum"])
    for (measure, window, model), maximum in wanted.items():
        ApiKeyLimitRow.create(
            force_insert=True,
            id=fresh_id(ApiKeyLimitRow),
            api_key=row.id,
            measure=measure,
            window=window,
            model=model,
            maximum=maximum,
        )


def _remove_limit(limit: ApiKeyLimitRow) -> None:
    LimitCounterRow.delete().where(LimitCounterRow.limit_id == limit.id).execute()
    ApiKeyLimitRow.delete().where(ApiKeyLimitRow.id == limit.id).execute()
