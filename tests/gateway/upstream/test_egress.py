"""Connections out are opened in one place, which knows the egress proxy."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
# What opens a connection; a raw one is found by its call, too.
OPENS = re.compile(r"\b(?:ClientSession|TCPConnector|(?:open|create)_connection)\(")
ALLOWED = {
    "gateway/upstream/http.py",
    "gateway/upstream/egress.py",
    "gateway/cluster/member_calls.py",  # to members of the same database
    "gateway/cli/doctor.py",  # to the gateway itself, as its clients
    "gateway/doctor/examination.py",  # the same, begun on a page
    "handlers/demo.py",  # on this machine
    "gateway/demo/life/life.py",  # as its users do
}


def test_nothing_else_opens_connections_out():
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("gateway", "handlers", "schemas")
        for path in (ROOT / package).rglob("*.py")
        if OPENS.search(path.read_text())
    }
    assert found == ALLOWED
