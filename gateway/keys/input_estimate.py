"""What a request's input comes to in tokens, by kind, before upstream counts it. Pure.

Upstream counts by a vocabulary of its own and puts tools and items into words in a way
it does not tell. These are estimates, meant to lie between half and twice of its count,
and the ratios are data, each with its source.
"""

from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from gateway.keys.media_tokens import (
    audio_tokens,
    document_tokens,
    is_picture,
    picture_tokens,
)
from gateway.protocol.facts import Usage

# As Codex counts (codex-rs, utils/string, 2026). Measured with o200k_base, bytes of
# UTF-8: English 4.6, code 4.4, Markdown 3.8, Russian 6.4, Chinese 4.1, Japanese 4.9.
BYTES_PER_TOKEN = 4
# JSON of tools and schemas, which upstream writes as types: for the tools that Codex
# sends 4.8 to 7 bytes, measured in the same way.
_SCHEMA_BYTES_PER_TOKEN = 5
# The frame of a message (OpenAI cookbook, "How to count tokens").
_ITEM_TOKENS = 3
# Encrypted items as Codex counts them (codex-rs, context_manager/history.rs, 2026):
# base64 of their text and of 650 bytes around it.
_ENCRYPTED_OVERHEAD = 650
# Nothing upstream has takes a longer context: gpt-4.1, gpt-5.4 of the API.
LARGEST_INPUT = 1_050_000
# What of a request the model reads, by the names that all endpoints give it; the second
# row is in every turn of a conversation.
_ITEM_FIELDS = ("input", "commands", "query", "image", "images", "mask")
_FIXED_FIELDS = ("instructions", "tools", "text", "prompt")
_SCHEMAS = frozenset(("tools", "schema"))
# Fields of forms that are none of the model's business.
_SWITCHES = frozenset(
    (
        *("model", "n", "size", "quality", "style", "background", "moderation"),
        *("output_format", "output_compression", "partial_images", "input_fidelity"),
        *("response_format", "language", "temperature", "stream", "user", "include[]"),
        *("timestamp_granularities[]", "chunking_strategy"),
    )
)
# Of conversations and responses, together; those used longest ago are forgotten.
_MOST_NAMES = 10_000
_UNSEEN_OBJECT = "internal_chat_message_metadata_passthrough"
_NUMBERS = (int, float)
_FILE_OBJECTS = frozenset(("image_url", "input_audio"))
# A request of more values is no conversation: its bytes have to do.
_MOST_VALUES = 50_000
# The head of a file says its size; in a JPEG a preview may stand before it.
_HEAD_CHARACTERS = 128 * 1024


class InputSize(NamedTuple):
    """Estimated tokens: of what is said, and of what every turn repeats."""

    items: int
    fixed: int = 0  # instructions and tools

    @property
    def tokens(self) -> int:
        return min(self.items + self.fixed, LARGEST_INPUT)


NOTHING = InputSize(0)


def text_tokens(text: str | bytes) -> int:
    """By the bytes of its UTF-8."""
    if isinstance(text, str) and not text.isascii():
        text = text.encode("utf-8", "surrogatepass")
    return -(-len(text) // BYTES_PER_TOKEN)


def payload_size(payload: Mapping[str, Any], size: int) -> InputSize:
    """The input of a JSON request of `size` bytes, whichever endpoint it is for."""
    walk = _Walk()
    try:
        items = walk.tokens_of(payload, _ITEM_FIELDS)
        fixed = walk.tokens_of(payload, _FIXED_FIELDS)
    except _Unusual:
        return InputSize(-(-size // BYTES_PER_TOKEN))
    return InputSize(items, fixed)


def field_tokens(name: str, value: bytes) -> int:
    """Of a text field of a form."""
    return 0 if name in _SWITCHES else text_tokens(value)


class _Unusual(Exception):
    """The payload is none that a client of any model sends."""


class _Walk:
    """Through a payload of any depth, without recursion and of bounded length."""

    def __init__(self) -> None:
        self._values = 0

    def tokens_of(self, payload: Mapping[str, Any], fields: Sequence[str]) -> int:
        """Of everything in these fields that the model reads."""
        total = 0
        # A value, its name, and how closely its object has pictures looked at.
        stack: list[tuple[str, Any, Any]]
        stack = [(name, payload[name], None) for name in fields if name in payload]
        while stack:
            name, value, detail = stack.pop()
            if isinstance(value, str):
                total += _STRINGS.get(name, _text)(value, detail)
            elif name in _SCHEMAS:
                total += _schema_tokens(value)
            elif isinstance(value, list):
                self._values += len(value)
                stack += [(name, one, detail) for one in value]
            elif isinstance(value, dict) and name != _UNSEEN_OBJECT:
                self._values += len(value)
                total += _open(name, value, stack)
            elif isinstance(value, _NUMBERS) and not isinstance(value, bool):
                total += 1  # of embeddings, say: a token as its number
            if self._values > _MOST_VALUES:
                raise _Unusual
        return total


def _open(name: str, value: dict[str, Any], stack: list[tuple[str, Any, Any]]) -> int:
    """Of an object's own strings; what else it holds is put on the stack."""
    total = _ITEM_TOKENS if name == "input" else 0
    start = f"{name}." if name in _FILE_OBJECTS else ""
    detail = value.get("detail")
    for key, one in value.items():
        name = start + key
        if not isinstance(one, str):
            stack.append((name, one, detail))
        elif name not in _UNREAD:
            total += _STRINGS.get(name, _text)(one, detail)
    return total


def _schema_tokens(value: Any) -> int:
    try:
        written = orjson.dumps(value)
    except orjson.JSONEncodeError as error:  # deeper than it writes, longer integers
        raise _Unusual from error
    return len(written) // _SCHEMA_BYTES_PER_TOKEN


def _text(value: str, detail: Any) -> int:
    return text_tokens(value)


def _nothing(value: str, detail: Any) -> int:
    return 0


def _encrypted(value: str, detail: Any) -> int:
    return max(0, len(value) * 3 // 4 - _ENCRYPTED_OVERHEAD) // BYTES_PER_TOKEN


def _picture(url: str, detail: Any) -> int:
    return picture_tokens(_decoded(url[:_HEAD_CHARACTERS]), detail)


def _result(value: str, detail: Any) -> int:
    """Of an image generation call, or of something else."""
    head = _decoded(value[:_HEAD_CHARACTERS])
    return picture_tokens(head) if is_picture(head) else text_tokens(value)


def _document(url: str, detail: Any) -> int:
    size = len(url) * 3 // 4
    if url.startswith("data:text/"):
        return -(-size // BYTES_PER_TOKEN)
    return document_tokens(size)


def _audio(data: str, detail: Any) -> int:
    return audio_tokens(_decoded(data))


# Ids and switches the model does not read, or as one token.
_UNREAD = frozenset(
    (
        *("id", "call_id", "type", "role", "status", "phase", "detail", "verbosity"),
        *("image_url.detail", "input_audio.format"),
    )
)
# What a string of a name is; what is not here is text.
_STRINGS: Mapping[str, Callable[[str, Any], int]] = {
    **dict.fromkeys(_UNREAD, _nothing),
    **dict.fromkeys(
        ("image_url", "image_url.url", "image", "images", "mask"), _picture
    ),
    "encrypted_content": _encrypted,
    "result": _result,
    "file_data": _document,
    "input_audio.data": _audio,
}


def _decoded(url: str) -> bytes:
    """What a data URL or bare base64 holds, b"" where it is none."""
    _, comma, data = url.partition(",")
    data = data if comma else url
    try:
        return b64decode(data[: len(data) // 4 * 4])
    except ValueError:
        return b""


class _Counted(NamedTuple):
    input: int
    output: int
    estimated: int  # what the same input was estimated to be


class ConversationInput:
    """What upstream last counted of conversations, and so what their next turns take.

    That and what is new is far closer than an estimate of the whole: a turn that
    names a previous response even sends only what is new.

    By the names of conversations and responses, which are the caller's to scope.
    """

    def __init__(self) -> None:
        self._counted: OrderedDict[str, _Counted] = OrderedDict()

    def expect(
        self, names: Sequence[str], previous_response: str | None, size: InputSize
    ) -> int:
        """The tokens of a request of this estimated size."""
        known = self._counted.get(previous_response or "")
        if known is not None:
            return min(known.input + known.output + size.items, LARGEST_INPUT)
        tokens = size.tokens
        for name in names:
            known = self._counted.get(name)
            # A shorter one was compacted, or is another's of the same name.
            if known is not None and tokens >= known.estimated:
                grown = known.input + tokens - known.estimated
                # Whatever the name was used for before: estimates are no more than
                # twice what is counted.
                return min(max(grown, tokens // 2), LARGEST_INPUT)
        return tokens

    def note(self, names: Sequence[str], usage: Usage, estimated: int) -> None:
        """What upstream counted of a request that was estimated to be so large."""
        if usage.input_tokens <= 0:
            return
        counted = _Counted(usage.input_tokens, usage.output_tokens, estimated)
        for name in names:
            self._counted[name] = counted
            self._counted.move_to_end(name)
        while len(self._counted) > _MOST_NAMES:
            self._counted.popitem(last=False)
