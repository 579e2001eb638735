"""What the environment rules: each setting's name, value, default and meaning."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from environs import EnvError
from yarl import URL

from gateway.admin.explained.documents import ROOT, SETTINGS_DOCUMENT, rows
from gateway.secret import Secret
from gateway.settings import Settings, read_settings
from gateway.settings.parsers import PARSERS
from gateway.store.identity import place_of

_PREFIX = "GATEWAY_"
_EMPTY: tuple[Any, ...] = ("", None, (), frozenset())
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_DATABASES = ("database_url", "database_direct_url")


class Declared(NamedTuple):
    """How a setting is read: its variable, its parser's name and its default."""

    name: str
    kind: str
    default: Any


class _Declarations:
    """Stands where the environment does, and is told what would be read of it."""

    def __getattr__(self, kind: str) -> Callable[..., Declared]:
        def declare(name: str, default: Any = "", **checks: Any) -> Declared:
            return Declared(f"{_PREFIX}{name}", kind, default)

        return declare


@dataclass(frozen=True, slots=True)
class EnvironmentSetting:
    """A setting as its page shows it; of a secret only whether there is one."""

    name: str
    value: str
    default: str
    is_default: bool
    is_secret: bool
    meaning: str


def environment_settings(settings: Settings) -> Iterator[EnvironmentSetting]:
    """All of them, in the order of the document; reads that: not on the loop."""
    told = meanings()
    declared = read_settings(_Declarations())
    places = {name: number for number, name in enumerate(told)}
    for field, one in sorted(
        declared.items(), key=lambda item: places.get(item[1].name, len(places))
    ):
        value = getattr(settings, field)
        is_default = value == parsed_default(one)
        is_secret = isinstance(value, Secret)
        shown = "set" if is_secret else shown_value(field, value)
        yield EnvironmentSetting(
            one.name,
            shown,
            shown_value("", one.default),
            is_default or (field in _DATABASES and not settings.names_database),
            is_secret,
            told.get(one.name, ""),
        )


def parsed_default(declared: Declared) -> Any:
    """The default as settings have it; None where there is none on this machine."""
    parser = PARSERS.get(declared.kind)
    if parser is None or not isinstance(declared.default, str):
        return declared.default
    try:
        return parser(declared.default)
    except EnvError:  # a folder below the home of who has none
        return None


def shown_value(field: str, value: Any) -> str:
    """As one would write it, without a password."""
    if value in _EMPTY:
        return "empty"
    if isinstance(value, bool):
        return "on" if value else "off"
    if field in _DATABASES:
        return place_of(value)
    if isinstance(value, tuple | frozenset):
        return ", ".join(sorted(map(str, value)))
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    return _without_password(text) if "://" in text and "@" in text else text


def _without_password(url: str) -> str:
    try:
        return str(URL(url).with_user(None))
    except ValueError:
        return "set"


@cache
def meanings(document: Path = ROOT / SETTINGS_DOCUMENT) -> dict[str, str]:
    """What the document says of each setting, as plain text; {} without it."""
    if not document.is_file():
        return {}
    return {
        name: _plain(cells.get("meaning", ""))
        for names, cells in rows(SETTINGS_DOCUMENT)
        for name in names
        if name.startswith(_PREFIX) and "meaning" in cells
    }


def _plain(markdown: str) -> str:
    return _LINK.sub(r"\1", markdown).replace("`", "").replace("**", "")
