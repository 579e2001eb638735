"""docs/errors.md says of each error what it is: its status, and whose fault."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import gateway
import handlers
from gateway.errors import GatewayError

DOCUMENT = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
# Whose code is upstream's own or one of several, and what only commands meet.
OTHERS = {
    *("GatewayError", "UpstreamAnswer", "UpstreamUnavailable", "NoneInService"),
    *("GatewayDoesNotAnswer", "Refused"),
    "ForeignNavigation",  # is answered by the page that was asked for
}


def kinds(of=GatewayError):
    for kind in of.__subclasses__():
        if kind.__module__.startswith(("gateway", "handlers")):
            yield kind
        yield from kinds(kind)


def explained():
    """(code, status, whose) of every row that has a status."""
    for line in re.findall(r"^\| (`[a-z_`, ]+ \|.+) \|$", DOCUMENT, re.MULTILINE):
        first, statuses, *_, whose = line.split(" | ")
        for code in re.findall(r"`([a-z_]+)`", first):
            for status in re.findall(r"\b\d{3}\b", statuses):
                yield code, int(status), whose


for package in (gateway, handlers):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if ".migrations" not in module.name and ".demo" not in module.name:
            importlib.import_module(module.name)
KINDS = sorted({one for one in kinds() if one.__name__ not in OTHERS}, key=str)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_has_the_status_and_the_origin_that_its_row_tells(kind):
    found = [
        whose
        for code, status, whose in explained()
        if (code, status) == (kind.code, kind.status)
    ]
    assert any(kind.origin in whose for whose in found), (kind.code, kind.status)
