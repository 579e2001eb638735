"""EventKind: the table of upstream events that matter to the gateway.

All others are output: they pass as they came and nothing is read from them. The
scanner's pattern, the outcome reader, the commit point and the client's view are
made from this table.
"""

import re
from typing import Literal, NamedTuple

ResponseStatus = Literal["", "completed", "incomplete", "failed", "error"]


class EventKind(NamedTuple):
    """What one type of event means."""

    is_held: bool = False  # comes before the first output, waits for the commit point
    ends_as: ResponseStatus = ""  # the status it ends its response with
    is_notable: bool = True  # found in a run of events, opened and read
    is_filtered: bool = False  # speaks of the account: clients may see less of it
    has_response: bool = False  # its "response" is the Response as it stands


# They repeat the request, and stand where every event is looked at anyway.
_SNAPSHOT = EventKind(is_held=True, is_notable=False, has_response=True)
EVENT_KINDS = {
    "response.created": _SNAPSHOT,
    "response.in_progress": _SNAPSHOT,
    "response.queued": _SNAPSHOT,
    "response.metadata": EventKind(is_held=True, is_filtered=True),
    "response.completed": EventKind(ends_as="completed", has_response=True),
    "response.incomplete": EventKind(ends_as="incomplete", has_response=True),
    "response.failed": EventKind(ends_as="failed", has_response=True, is_filtered=True),
    "error": EventKind(ends_as="error", is_filtered=True),
    "codex.rate_limits": EventKind(is_held=True, is_filtered=True),
}
# Every event of this family is about the account or the connection.
CODEX_PREFIX = "codex."
_CODEX_EVENT = EventKind(is_held=True)
_OUTPUT = EventKind(is_notable=False)
# Comments and events that do not say what they are: no sign that a response began.
_UNNAMED = EventKind(is_held=True, is_notable=False)
# Not an event's type but a key inside of items: whose account can read them?
ENCRYPTED_CONTENT = "encrypted_content"


def kind_of_event(type: str) -> EventKind:
    """The row of an event's type; "" for events without one."""
    known = EVENT_KINDS.get(type)
    if known is not None:
        return known
    if not type:
        return _UNNAMED
    return _CODEX_EVENT if type.startswith(CODEX_PREFIX) else _OUTPUT


def notable_pattern() -> re.Pattern[bytes]:
    """Finds where notable events may be in bytes of JSON without escapes.

    All alternatives begin with the one quote, which is what makes the search fast.
    """
    names = [name for name, kind in EVENT_KINDS.items() if kind.is_notable]
    family = "response."
    inner = "|".join(
        name.removeprefix(family) for name in names if name.startswith(family)
    )
    others = [
        f'{re.escape(name)}"'
        for name in names
        if not name.startswith((family, CODEX_PREFIX))
    ]
    alternatives = [
        rf"{re.escape(family)}(?:{inner})",
        *others,
        re.escape(CODEX_PREFIX),
        f'{ENCRYPTED_CONTENT}"',
    ]
    return re.compile(f'"(?:{"|".join(alternatives)})'.encode())
