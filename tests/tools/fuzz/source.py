"""Bytes as choices: texts of JSON, lists of headers, cuts of a stream.

A fuzzer changes bytes. Read as choices, a changed byte gives another well-formed
document, with the names our code looks for; read as they are, it gives a broken one.
"""

from itertools import pairwise
from random import Random

from hypothesis import strategies as st

# hypothesis thinks of few bytes, and of many alike: after them every choice is the
# first. So half of its inputs are long ones.
any_bytes = st.binary(max_size=400) | st.integers(0, 2**63).map(
    lambda seed: Random(seed).randbytes(400)
)

# What our code looks for, and what comes beside it in requests and events.
NAMES = (
    *("model", "instructions", "input", "messages", "tools", "tool_choice", "store"),
    *("stream", "reasoning", "effort", "summary", "text", "verbosity", "format"),
    *("service_tier", "truncation", "include", "conversation", "generate"),
    *("previous_response_id", "prompt_cache_key", "promptCacheKey", "temperature"),
    *("reasoningEffort", "textVerbosity", "max_output_tokens", "max_tokens"),
    *("response_format", "json_schema", "schema", "strict", "n", "stop", "seed"),
    *("stream_options", "include_usage", "reasoning_effort", "tool_calls"),
    *("type", "role", "content", "id", "call_id", "tool_call_id", "name", "function"),
    *("arguments", "output", "refusal", "file", "file_id", "file_data", "image_url"),
    *("url", "mime_type", "reasoning_content", "encrypted_content", "response"),
    *("error", "code", "message", "param", "status", "status_code", "detail", "usage"),
    *("input_tokens", "output_tokens", "input_tokens_details", "cached_tokens"),
    *("item", "output_index", "content_index", "item_id", "delta", "part", "headers"),
    *("openai-model", "x-codex-turn-state", "rate_limits", "primary", "used_percent"),
    *("window_minutes", "resets_at", "resets_in_seconds", "plan_type", "_schema"),
    *("a.b", "", "metadata", "incomplete_details", "reason", "retry-after"),
)
WORDS = (
    *("user", "assistant", "tool", "system", "developer", "message", "reasoning"),
    *("compaction", "additional_tools", "configuration_update", "function"),
    *("function_call", "function_call_output", "custom_tool_call", "output_text"),
    *("input_text", "text", "refusal", "input_image", "input_file", "image_url"),
    *("file", "image_generation", "web_search_preview", "web_search", "file_search"),
    *("json_object", "json_schema", "auto", "disabled", "fast", " Fast ", "gpt-5.5"),
    *("reasoning.encrypted_content", "content_filter", "usage_limit_reached"),
    *("rate_limit_exceeded", "invalid_encrypted_content", "try again in 1h2m3.5s"),
    *("2027-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "[DONE]", "response.failed"),
    *("sk-aaaaaaaaaaaa", "data:,", "0", "1e400", "nan", "-1", "\u0085", "\u2028"),
)
# Texts of JSON that parsers disagree about, and some that are none.
ODDITIES = (
    *("null", "true", "false", "0", "1", "-0", "-1", "1.0", "1e400", "-1e-400"),
    *("18446744073709551616", "-9223372036854775809", "9007199254740993"),
    *("1" * 25, "1" * 400, "1" * 5000, "0.1e1", "1E5", "NaN", "Infinity", "01", "+1"),
    *(r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', r'"a\r\nb: c"', '"\ufeff"'),
    *('""', "[]", "{}", "[[]]", "[{}]", "[null]", '"é"', '"\U0001f600"', "", ","),
)
# Around the limits of parsers and encoders: 254 levels, 500, 1,000, 1,024.
TOWERS = (3, 250, 256, 498, 502, 900, 950, 985, 1000, 1023, 1030, 5000)


class Source:
    """Reads choices off bytes; when they have ended, every choice is the first."""

    def __init__(self, data: bytes, names: tuple[str, ...] = NAMES) -> None:
        """`names` are those of the members of objects."""
        self._data = data
        self._names = names
        self._at = 0

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def pick(self, options):
        """One of the options; of more than 256 only the first ones."""
        return options[self.byte() % len(options)]

    def take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        return self._data[start : start + size]

    def rest(self) -> bytes:
        return self.take(len(self._data))

    def has_more(self) -> bool:
        return self._at < len(self._data)

    def text(self) -> str:
        """Any characters, those of a header twice as often."""
        size, kind = self.byte() % 24, self.byte() % 3
        found = self.take(size)
        return found.decode("utf-8", "replace" if kind else "surrogateescape")

    def chunks(self, stream: bytes) -> list[bytes]:
        """The stream in pieces, some of them empty."""
        edges = [0]
        for _ in range(self.byte() % 8):
            cut = edges[-1] + self.byte()
            edges.append(min(cut, len(stream)))
        edges.append(len(stream))
        return [stream[a:b] for a, b in pairwise(edges)]

    def json(self, depth: int = 5) -> str:
        """The text of a JSON value; not always a valid one."""
        kind = self.byte() % 16 if depth else self.byte() % 8
        if kind < 8:
            return self._scalar(kind)
        if kind == 8:
            return self._tower(depth)
        return self._list(depth) if kind < 12 else self.object(depth)

    def _scalar(self, kind: int) -> str:
        match kind:
            case 0:
                return _quoted(self.text())
            case 1:
                return self.pick(ODDITIES)
            case 2:
                return str(self.byte() - 3)
            case 3:
                return self.pick(("null", "true", "false", '""', "1"))
            case _:
                return _quoted(self.pick(WORDS))

    def object(self, depth: int = 5) -> str:
        return "{" + ",".join(self._fields(depth)) + "}"

    def _fields(self, depth: int) -> list[str]:
        return [
            f"{_quoted(self.pick(self._names))}:{self.json(depth - 1)}"
            for _ in range(self.byte() % 7)
        ]

    def with_fields(self, start: str) -> str:
        """An object that begins with these fields."""
        return "{" + ",".join([start, *self._fields(5)]) + "}"

    def _list(self, depth: int) -> str:
        values = [self.json(depth - 1) for _ in range(self.byte() % 5)]
        return "[" + ",".join(values) + "]"

    def _tower(self, depth: int) -> str:
        height, opening, closing = self.pick(TOWERS), "[", "]"
        if self.byte() % 2:
            opening, closing = "{" + _quoted(self.pick(self._names)) + ":", "}"
        return opening * height + self.json(depth - 1) + closing * height


def _quoted(text: str) -> str:
    """A JSON string; what has no UTF-8 is escaped."""
    plain = text.replace("\\", r"\\").replace('"', r"\"")
    return '"' + "".join(map(_escaped, plain)) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 32 or 0xD800 <= code < 0xE000:
        return f"\\u{code:04x}"
    return character
