"""A look at a large body before a parser sees it: is it of a size that parses fast?

Parsing holds the interpreter for as long as it takes: 20 ms for 8 MiB of a real
request, over a second for 10 MB of `[[],[],…`. What costs is the number of values,
not of bytes. So they are counted first, slice by slice at memory speed, and a body
is given up on as soon as there are too many: within its first megabytes.
"""

from collections.abc import Iterator

from marshmallow import ValidationError

# Smaller bodies parse within 15 ms, whatever they are made of.
SMALL_BYTES = 256 * 1024
# Outside of strings: a real request of 8 MiB has some 100,000, of nothing but tool
# definitions 320,000. Of so many, all of them keys, 40 ms are spent.
MOST_STRUCTURE = 400_000
# A list or an object costs most, 0.2 µs: a fifth of those marks begin one.
MOST_CONTAINERS = 120_000
MOST_QUOTES = 1_500_000
# One pass over so many bytes takes less than a millisecond.
_SLICE = 256 * 1024
_MARKS = b"[{,:"
_BEGINNINGS = b"[{"


def refuse_costly(data: bytes) -> None:
    """Raise ValidationError for a body with too many values."""
    if len(data) <= SMALL_BYTES or _has_few_marks(data):
        return
    structure = containers = quotes = 0
    for outside, count in _outside_of_strings(data):
        quotes += count
        structure += _marks(outside)
        containers += _containers(outside)
        if quotes > MOST_QUOTES:
            raise ValidationError("Too many strings")
        if structure > MOST_STRUCTURE or containers > MOST_CONTAINERS:
            raise ValidationError("Too many values")


def _has_few_marks(data: bytes) -> bool:
    """Counted with what stands in strings: true of nearly all, at half the cost."""
    marks = 0
    for piece in _slices(data):
        marks += _marks(piece)
        if marks > MOST_STRUCTURE:
            return False
    # The second pass is for the few that could have as many.
    return (
        marks <= MOST_CONTAINERS
        or sum(map(_containers, _slices(data))) <= MOST_CONTAINERS
    )


def _slices(data: bytes) -> Iterator[bytes]:
    return (data[start : start + _SLICE] for start in range(0, len(data), _SLICE))


def _marks(data: bytes) -> int:
    return len(data) - len(data.translate(None, _MARKS))


def _containers(data: bytes) -> int:
    return len(data) - len(data.translate(None, _BEGINNINGS))


def _outside_of_strings(data: bytes, size: int = _SLICE) -> Iterator[tuple[bytes, int]]:
    """What stands outside of strings, and the number of quotes, slice by slice."""
    start, is_inside = 0, False
    while start < len(data):
        end = start + size
        piece = data[start:end]
        # No cut between a backslash and what it escapes.
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
            end += 1
            piece = data[start:end]
        start = end
        if b"\\" in piece:
            piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = piece.split(b'"')
        yield b"".join(parts[is_inside::2]), len(parts) - 1
        is_inside ^= len(parts) % 2 == 0
