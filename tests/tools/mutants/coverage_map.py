"""Which fast tests run which lines, and how long each takes."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

# Tests that look at the clock closely would fail beside the other worker.
FAST = [
    "-m",
    "not (slow or nightly or alone or hostile or soak or package)",
    "--ignore=tests/e2e",
]


@dataclass
class CoverageMap:
    """What the tests of one tree run."""

    durations: dict[str, float]  # seconds, by the test's id
    _lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    def tests_of(self, path: str, line: int, *, is_in_function: bool) -> list[str]:
        """The tests that run the line; of a module's own lines, those that use it."""
        lines = self._lines.get(path, {})
        if is_in_function:
            return [one for one in lines.get(line, ()) if one in self.durations]
        used = {one for tests in lines.values() for one in tests}
        return [one for one in self.durations if one in used]


def fingerprint(files: Iterable[Path]) -> str:
    """The same for the same sources and tests."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
