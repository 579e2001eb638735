"""Multipart forms (RFC 7578): their parts, and whether every reader sees the same.

A form passes as it came, so what is checked of it has to be what upstream reads. The
parts of a form that parsers could read differently are not given out at all.
"""

import re
from dataclasses import dataclass

# A form has a handful of fields; a body of nothing but boundaries has no end of them.
MOST_PARTS = 100
_HEAD_BYTES = 8 * 1024
_BOUNDARY = re.compile(
    r'multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))',
    re.IGNORECASE,
)
# One parameter, of characters that no reader takes for anything else (RFC 2046).
_PLAIN_BOUNDARY = re.compile(
    r"multipart/form-data; ?boundary="
    r"""(?:"([\w'()+,./:=?-]{1,70})"|([\w'+./-]{1,70}))""",
    re.IGNORECASE | re.ASCII,
)
_DISPOSITION = re.compile(
    rb'content-disposition: ?form-data; ?name="([\w.\[\]-]{1,100})"'
    rb'(; ?filename="[^"\r\n\\]{0,500}")?(; ?filename\*=[\w\'%.-]{1,500})?',
    re.IGNORECASE | re.ASCII,
)
_OTHER_HEADER = re.compile(
    rb"content-type:(?! *multipart) ?[\x20-\x7e]{0,200}|content-length: ?\d{1,12}"
    rb"|content-transfer-encoding: ?(?:binary|[78]bit)",
    re.IGNORECASE,
)
_MODEL = re.compile(rb"[\w.:/@-]{1,200}", re.ASCII)
_PLAIN_HEADER = re.compile(
    rb"(?!content-type).*"
    rb'|content-type: ?text/plain(?:; ?charset="?(?:utf-8|us-ascii)"?)?',
    re.IGNORECASE,
)


class AmbiguousForm(Exception):
    """The body is no form, or one that two parsers may read differently."""

    def __init__(
        self,
        reason: str = "Must be a JSON object or a form of plainly written fields.",
        field: str = "_schema",
    ) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form."""

    name: str
    is_file: bool
    is_plain: bool  # as its bytes say, whatever reads them
    content: bytes


def fields_of(content_type: str, body: bytes) -> list[FormField]:
    """The fields of a form that is written as clients write them.

    Raises AmbiguousForm for any other, and for what is no form.
    """
    found = _PLAIN_BOUNDARY.fullmatch(content_type)
    if found is None:
        raise AmbiguousForm
    delimiter = b"--" + (found[1] or found[2]).encode()
    pieces = body.split(delimiter, MOST_PARTS + 2)
    # Nothing before the first, and behind the last at most the end of a line.
    if not 3 <= len(pieces) <= MOST_PARTS + 2 or pieces[0]:
        raise AmbiguousForm
    if pieces[-1] not in (b"--", b"--\r\n"):
        raise AmbiguousForm
    return [_field(piece) for piece in pieces[1:-1]]


def _field(piece: bytes) -> FormField:
    """A part between two delimiters, each at the beginning of a line."""
    if not (piece.startswith(b"\r\n") and piece.endswith(b"\r\n")):
        raise AmbiguousForm
    head, blank, _ = piece[2 : 2 + _HEAD_BYTES].partition(b"\r\n\r\n")
    if not blank:
        raise AmbiguousForm
    dispositions, others = [], []
    for line in head.split(b"\r\n"):
        if named := _DISPOSITION.fullmatch(line):
            dispositions.append(named)
        elif _OTHER_HEADER.fullmatch(line):
            others.append(line)
        else:
            raise AmbiguousForm
    if len(dispositions) != 1:
        raise AmbiguousForm
    (named,) = dispositions
    return FormField(
        named[1].decode(),
        is_file=bool(named[2] or named[3]),
        is_plain=all(map(_PLAIN_HEADER.fullmatch, others)),
        content=piece[2 + len(head) + len(blank) : -2],
    )


def model_fields(parts: list[FormField]) -> list[str]:
    """The one model that a form names, or none.

    Raises AmbiguousForm for a second, and for a name that some parsers read so.
    """
    found = [
        part for part in parts if re.sub("[^a-z]", "", part.name.lower()) == "model"
    ]
    for part in found:
        is_text = part.is_plain and not part.is_file and part.name == "model"
        if len(found) > 1 or not is_text or not _MODEL.fullmatch(part.content):
            raise AmbiguousForm("Must be the name of one model.", "model")
    return [part.content.decode() for part in found]


def has_field(content_type: str, body: bytes, name: str) -> bool:
    """Whether a body is a form with a part of this name, empty or not."""
    boundary = _BOUNDARY.match(content_type.strip())
    if boundary is None:
        return False
    delimiter = b"--" + (boundary[1] or boundary[2]).encode("utf-8", "replace")
    named = re.compile(
        rb'^content-disposition:[^\r\n]*;\s*name="?%b"?\s*(?:;|\r?$)'
        % re.escape(name.encode()),
        re.IGNORECASE | re.MULTILINE,
    )
    start = body.find(delimiter)
    for _ in range(MOST_PARTS):
        if start < 0:
            return False
        start += len(delimiter)
        head, end, _ = body[start : start + _HEAD_BYTES].partition(b"\r\n\r\n")
        if end and named.search(head):
            return True
        start = body.find(delimiter, start)
    return False
