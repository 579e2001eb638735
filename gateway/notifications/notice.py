"""Notice: one message about one event, as every channel gets it."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.keys.quota_report import iso_time
from gateway.store.notices import StoredNotice

Value = str | int | float
MOST_VALUE = 120  # characters of a name in a text


class ChannelFailed(Exception):
    """A channel did not take a notice; the text says why, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The same for all channels and all attempts; `at` in unix seconds."""

    message_id: str
    event: str
    scope: str  # of what: a limit's window, an account
    level: int
    title: str
    text: str
    data: Mapping[str, Value]
    at: float
    is_urgent: bool = False

    def as_json(self) -> bytes:
        """The body of a webhook, as Standard Webhooks has it: type, timestamp, data."""
        told = {"title": self.title, "text": self.text, **self.data}
        body = {"type": self.event, "timestamp": iso_time(self.at), "data": told}
        return json.dumps(body, ensure_ascii=False).encode()

    def as_row(self, channel: str) -> StoredNotice:
        """As it is stored until it is told."""
        at = int(self.at * 1000)
        return {
            "message_id": self.message_id,
            "event": self.event,
            "scope": self.scope,
            "level": self.level,
            "channel": channel,
            "title": self.title,
            "text": self.text,
            "data": json.dumps(self.data),
            "created_at": at,
            "next_at": at,
        }

    @classmethod
    def of_row(cls, row: StoredNotice, *, is_urgent: bool) -> "Notice":
        names = ("message_id", "event", "scope", "level", "title", "text")
        told = {name: row[name] for name in names}
        data, at = json.loads(row["data"]), row["created_at"] / 1000
        return cls(**told, data=data, at=at, is_urgent=is_urgent)


def new_message_id() -> str:
    """The same for every attempt, so that a receiver knows a second one."""
    return f"msg_{uuid.uuid4().hex}"


def one_line(value: Any) -> Any:
    """A value for a text of one line: names are what people typed."""
    if not isinstance(value, str):
        return value
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
    return line if len(line) <= MOST_VALUE else line[:MOST_VALUE] + "…"
