"""Command line: asks pip's own index about every pinned release.

Exits with 1 when a release has a known vulnerability, with 2 when one could not be
asked about: that is no pass.
"""

import asyncio
import sys
from pathlib import Path

from pip._internal.configuration import Configuration
from pip._internal.models.index import PyPI

from tests.tools.advisories.advisories import ask, pins, report

ROOT = Path(__file__).parents[3]
PINNED = ("requirements.txt", "tests/requirements.txt")


def configured_index() -> str:
    """Where pip would install from."""
    configuration = Configuration(isolated=False)
    configuration.load()
    told = dict(configuration.items())
    names = (":env:.index-url", "install.index-url", "global.index-url")
    return next((told[name] for name in names if name in told), PyPI.simple_url)


def main() -> int:
    wanted = set().union(*(pins((ROOT / name).read_text()) for name in PINNED))
    index = configured_index()
    text, status = report(index, asyncio.run(ask(index, sorted(wanted))))
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main())
