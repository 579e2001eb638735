"""The dashboard's scripts and style sheets, read once, under URLs that never change.

A file's URL has the hash of its content, so that browsers keep it for good and a new
release's page never meets an old release's style.
"""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STATIC = Path(__file__).with_name("static")
STATIC_URL = "/dashboard/static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent."""

    content: bytes
    compressed: bytes
    content_type: str
    url: str

    @property
    def etag(self) -> str:
        return f'"{self.url.split("/")[-2]}"'


@cache
def static_files() -> Mapping[str, StaticFile]:
    """All there are, by name; nothing else is ever sent."""
    return {
        path.name: _read(path)
        for path in sorted(STATIC.rglob("*"))
        if path.suffix in _TYPES
    }


def static_url(name: str) -> str:
    """Where a page finds a file; raises KeyError for one that is not there."""
    return static_files()[name].url


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    url = f"{STATIC_URL}/{digest}/{path.name}"
    # The same bytes in every process: no time of day in them.
    packed = gzip.compress(content, mtime=0)
    return StaticFile(content, packed, _TYPES[path.suffix], url)
