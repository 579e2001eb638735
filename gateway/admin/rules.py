"""The rules for everybody's requests, as an operator changes them."""

import json
from typing import Any

from gateway.admin.errors import Unacceptable
from gateway.keys.request_rules import check_aliases, parse_alias, parse_tool_rule
from gateway.repository import audit
from gateway.repository.options import load_rules, shown_rules, write


def set_rules(changes: dict[str, list[str] | None], actor: str) -> None:
    """`tools` and `aliases`: all rules about them; None for none.

    Raises Unacceptable.
    """
    before = shown_rules(load_rules())
    for name, texts in changes.items():
        write(name, stored_rules(name, texts or []))
    audit.record(actor, "settings.update", "rules", before=before, after=changes)


def stored_rules(name: str, texts: list[str]) -> str:
    """The texts as they rest, for everybody or for a key. Raises Unacceptable."""
    try:
        if name == "aliases":
            check_aliases(texts)
        return json.dumps([str(_READERS[name](text)) for text in texts])
    except ValueError as error:
        raise Unacceptable(str(error), param=name) from error


_READERS: dict[str, Any] = {"tools": parse_tool_rule, "aliases": parse_alias}
