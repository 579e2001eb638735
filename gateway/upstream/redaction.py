"""Redaction: strikes out of upstream's words what the request itself said.

Upstream quotes what it refuses: plainly, escaped for JSON or for Python, wrapped, or in
another case. Both sides are brought to one form, in which these are the same.
"""

import asyncio
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gateway.protocol.facts import Failure, LoggedError
from gateway.protocol.failure_kind import CODES

STRUCK = "[...]"
# Words that are shorter are everybody's: `max_output`, `not allowed`.
LONGEST_QUOTE = 11
# A quotation with its own escapes is longer than what it quotes.
_SHORTEST_FORM = 9
# Larger requests are pictures and recordings; looking through 4 MiB takes 0.1 s.
MOST_COMPARED = 4 * 1024 * 1024
# More takes over 3 ms, which the event loop is not kept for.
LARGEST_INLINE = 64 * 1024
# Looked through in pieces: each call into C keeps the interpreter for 2 ms.
_PIECE = 256 * 1024
# A quotation of 300 characters at most, each of them escaped.
_OVERLAP = 4 * 1024
_GRAM = 8  # bytes of a machine word

# Python writes \x and \U as well; a pair of \u is one character beyond the first plane.
_CHARACTER = re.compile(
    r"\\+u([dD][89abAB][0-9a-fA-F]{2})\\+u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U(000[0-9a-fA-F]{5}))"
)
_PART = re.compile(rf"{_CHARACTER.pattern}|\\+[nrtbf]|\s+|.", re.DOTALL)
_SPACES = ("\\n", "\\r", "\\t", "\\b", "\\f", "\n", "\r", "\t")
_DROPPED = ("\\", '"', "'", "`")


async def redacted(
    failure: Failure, body: bytes, headers: Iterable[tuple[str, str]]
) -> Failure:
    """The failure, with what the log may have of it beside its request."""
    if len(body) > MOST_COMPARED:
        return failure
    values = "\n".join(value for _, value in headers)
    request = b"\n".join((body, values.encode("utf-8", "replace")))
    if len(request) <= LARGEST_INLINE:
        return replace(failure, redacted=redact(failure, request))
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(None, redact, failure, request)
    return replace(failure, redacted=found)


def redact(failure: Failure, request: bytes) -> LoggedError:
    """What the log may have of a failure: its code, type, param and message.

    In none of them is a run of twelve characters that also stands in the request,
    but for codes that the gateway knows: many a request is about errors.
    `request` in any encoding of its surface; takes 0.03 s a MB, and blocks.
    """
    told = (failure.code, failure.type, failure.param, failure.message)
    words = [_Words(text or "") for text in told]
    for piece in _pieces(request.decode("utf-8", "replace")):
        said = _encoded(_form(piece))
        grams = _common_grams(said, words)
        if grams:
            for one in words:
                one.strike(said, grams)
    code, kind, param, message = map(str, words)
    code = failure.code if failure.code in CODES else code
    kind = failure.type if failure.type in CODES else kind
    return LoggedError(code or None, kind or None, param or None, message)


class _Words:
    """A text of upstream's, and which of its characters are struck out."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._is_struck = bytearray(len(text))
        self._form: list[str] = []  # one character each
        self._spans: list[tuple[int, int]] = []  # of each of them in the text
        for part in _PART.finditer(text):
            for character in _form(part[0]):
                if character != " " or self._form[-1:] != [" "]:
                    self._form.append(character)
                    self._spans.append(part.span())
        self._runs = list(self._shortest_runs())

    def _shortest_runs(self) -> Iterator[tuple[int, int, bytes]]:
        """From each character on, where the shortest forbidden run ends; its form."""
        end = 0
        for start, (begins, _) in enumerate(self._spans):
            end = max(end, start + _SHORTEST_FORM)
            while (
                end <= len(self._spans)
                and self._spans[end - 1][1] - begins <= LONGEST_QUOTE
            ):
                end += 1
            if end > len(self._spans):
                return
            yield begins, self._spans[end - 1][1], _encoded(self._form[start:end])

    def grams(self) -> Iterator[bytes]:
        """Each machine word in any of the runs."""
        form = _encoded(self._form)
        return (form[at : at + _GRAM] for at in range(len(form) - _GRAM + 1))

    def strike(self, said: bytes, grams: frozenset[bytes]) -> None:
        """Strike out the runs that were said; each has one of the words in common."""
        for begins, ends, run in self._runs:
            may_be_said = any(
                run[at : at + _GRAM] in grams for at in range(len(run) - _GRAM + 1)
            )
            if may_be_said and run in said:
                self._is_struck[begins:ends] = b"\1" * (ends - begins)

    def __str__(self) -> str:
        kept = (
            "\0" if struck else character
            for character, struck in zip(self._text, self._is_struck, strict=True)
        )
        return re.sub("\0+", STRUCK, "".join(kept))


def _common_grams(said: bytes, words: Sequence[_Words]) -> frozenset[bytes]:
    """The machine words of upstream's that were said, at any other byte.

    A run of nine bytes has one at an even place. One set of integers is some hundred
    times as fast as looking for each run.
    """
    wanted = {
        int.from_bytes(gram, sys.byteorder): gram
        for one in words
        for gram in one.grams()
    }
    numbers, found = set(wanted), set[int]()
    view = memoryview(said)
    for offset in range(0, _GRAM, 2):
        whole = (len(said) - offset) // _GRAM * _GRAM
        if whole > 0:
            found |= numbers.intersection(view[offset : offset + whole].cast("Q"))
    return frozenset(wanted[number] for number in found)


def _pieces(text: str) -> Iterator[str]:
    for at in range(0, len(text), _PIECE):
        yield text[max(0, at - _OVERLAP) : at + _PIECE]


def _form(text: str) -> str:
    """The text as both sides are compared: decoded, one case, one space, no quotes."""
    if any(escape in text for escape in ("\\u", "\\x", "\\U")):
        text = _CHARACTER.sub(_character, text)
    for space in _SPACES:
        text = text.replace(space, " ")
    for mark in _DROPPED:
        text = text.replace(mark, "")
    text = text.casefold()
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def _character(escape: re.Match[str]) -> str:
    high, low, *single = escape.groups()
    if high is None:
        number = int(next(filter(None, single)), 16)
    else:
        number = 0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00
    return chr(number) if number <= sys.maxunicode else " "


def _encoded(characters: str | Sequence[str]) -> bytes:
    return "".join(characters).encode("utf-8", "surrogatepass")
