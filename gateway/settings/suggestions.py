"""Did you mean: the known words that a mistyped one stands nearest to."""

import difflib
from collections.abc import Iterable

# Words of other programs for what is called differently here.
_SYNONYMS = {
    "add": ("create",),
    "delete": ("remove",),
    "del": ("remove",),
    "edit": ("update", "set"),
    "change": ("update", "set"),
    "create": ("add",),
    "get": ("show",),
    "health": ("status",),
    "info": ("show",),
    "ls": ("list",),
    "new": ("create", "add"),
    "rm": ("remove",),
    "settings": ("config",),
    "run": ("serve",),
    "start": ("serve", "resume", "enable"),
    "stop": ("pause", "disable"),
    "update": ("set",),
}


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> list[str]:
    """At most two, the likeliest first; [] when none is near.

    What begins with the word goes before what is merely spelled like it.
    """
    words = {one.lower(): one for one in sorted(known)}
    synonyms = [one for one in _SYNONYMS.get(word.lower(), ()) if one in words]
    begun = [low for low in words if word and low.startswith(word.lower())]
    alike = difflib.get_close_matches(word.lower(), words, n=1, cutoff=cutoff)
    return [words[low] for low in (synonyms[:1] or begun[:2] or alike)]


def question(near: Iterable[str]) -> str:
    """`Did you mean 'a' or 'b'?`, or nothing."""
    asked = " or ".join(f"'{one}'" for one in near)
    return f"Did you mean {asked}?" if asked else ""
