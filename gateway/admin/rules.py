"""The rules for everybody's requests, as an operator changes them."""

import json
from collections.abc import Iterable
from itertools import chain
from typing import Any

from gateway.admin.entity import Changed
from gateway.admin.errors import Unacceptable
from gateway.keys.request_rules import (
    ModelAlias,
    check_aliases,
    parse_alias,
    parse_tool_rule,
)
from gateway.repository import audit
from gateway.repository.options import load_rules, shown_rules, write
from gateway.store.models import ApiKeyRow


def set_rules(changes: dict[str, list[str] | None], actor: str) -> Changed:
    """`tools` and `aliases`: all rules about them; None for none.

    Raises Unacceptable.
    """
    before = shown_rules(load_rules())
    for name, texts in changes.items():
        write(name, stored_rules(name, texts or [], _aliases_of_keys()))
    audit.record(actor, "settings.update", "rules", before=before, after=changes)
    return Changed.between("rules", before, shown_rules(load_rules()))


def _aliases_of_keys() -> list[ModelAlias]:
    stored = [json.loads(row.aliases or "[]") for row in ApiKeyRow.select()]
    return list(map(parse_alias, chain.from_iterable(stored)))


def stored_rules(name: str, texts: list[str], others: Iterable[ModelAlias]) -> str:
    """The texts as they rest, for everybody or for a key; `others`: aliases beside.

    Raises Unacceptable.
    """
    try:
        if name == "aliases":
            check_aliases(texts, others)
        return json.dumps([str(_READERS[name](text)) for text in texts])
    except ValueError as error:
        raise Unacceptable(str(error), param=name) from error


_READERS: dict[str, Any] = {"tools": parse_tool_rule, "aliases": parse_alias}
