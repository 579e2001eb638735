"""A look at a large body before a parser sees it: is it of a size that parses fast?

Parsing holds the interpreter for as long as it takes: 20 ms for 8 MiB of a real
request, over a second for 10 MB of `[[],[],…`. What costs is the number of values,
not of bytes. So they are counted first, by a few passes at memory speed.
"""

from marshmallow import ValidationError

# Smaller bodies parse within milliseconds, whatever they are made of.
SMALL_BYTES = 1024 * 1024
# Outside of strings: a real request of 8 MiB has some 100,000, of nothing but tool
# definitions 320,000.
MOST_STRUCTURE = 500_000
MOST_QUOTES = 1_500_000


def refuse_costly(data: bytes) -> None:
    """Raise ValidationError for a body with too many values."""
    if len(data) <= SMALL_BYTES or _structure(data) <= MOST_STRUCTURE:
        return  # counted with what stands in strings: no need to look closer
    # What is in strings does not count. Without escapes every quote is an end of one.
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > MOST_QUOTES:
        raise ValidationError("Too many strings")
    if _structure(b"".join(plain.split(b'"')[::2])) > MOST_STRUCTURE:
        raise ValidationError("Too many values")


def _structure(data: bytes) -> int:
    return sum(data.count(mark) for mark in (b"[", b"{", b",", b":"))
