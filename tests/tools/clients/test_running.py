"""What clients print is judged line by line, and the documents say what was run."""

import re

from tests.tools.clients.running import ROOT, lines_of, shortcomings
from tests.tools.clients.table import CLIENTS, EXPECTED, Client

CLIENT = Client("any", ("any==1.2",), "any.py", lines=("plain", "error"))


def test_a_text_ends_where_the_next_name_begins():
    printed = "noise\nplain: forty\ntwo: 2\nerror: no\nplain: again"
    assert lines_of(printed, ("plain", "error")) == {
        "": "noise",
        "plain": "forty\ntwo: 2\nagain",
        "error": "no",
    }


def test_a_client_falls_short_of_what_it_does_not_print():
    assert shortcomings(CLIENT, "plain: forty two\nerror: no gpt-unknown") == []
    (found,) = shortcomings(CLIENT, "plain: forty two\nTraceback …")
    assert found == "error: expected 'gpt-unknown', found None"
    (found,) = shortcomings(CLIENT, "plain: forty\nerror: gpt-unknown")
    assert found == "plain: expected 'forty two', found 'forty'"


def test_versions_are_pinned_and_lines_are_expected():
    for client in CLIENTS:
        assert all("==" in name or "@" in name[1:] for name in client.packages)
        assert client.version[0].isdigit()
        assert {line.split()[-1] for line in client.lines} <= EXPECTED.keys()


def test_the_documents_have_a_section_for_each_client_and_the_version_that_was_run():
    docs = ROOT / "docs"
    row = re.compile(r"^\| \[(.*?)\]\((.*?)#(.*?)\) \| (.*?) \|", re.M)
    listed = row.findall((docs / "clients.md").read_text())
    assert {name: version for name, *_, version in listed} == {
        client.name: client.version for client in CLIENTS
    }
    for name, page, anchor, version in listed:
        sections = re.split(r"^## ", (docs / page).read_text(), flags=re.M)
        (section,) = [one for one in sections if one.startswith(f"{name}\n")]
        assert anchor == name.lower().replace(",", "").replace(" ", "-")
        assert version in section
