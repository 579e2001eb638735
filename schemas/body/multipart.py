"""Multipart forms (RFC 7578): whether a field is in one; no part is parsed."""

import re

# A form has a handful of fields; a body of nothing but boundaries has no end of them.
MOST_PARTS = 100
_HEAD_BYTES = 8 * 1024
_BOUNDARY = re.compile(
    r'multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))',
    re.IGNORECASE,
)


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
