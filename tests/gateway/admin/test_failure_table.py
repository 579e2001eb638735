"""docs/errors.md has the table that the code has."""

from pathlib import Path

from gateway.admin.failure_table import as_markdown, failure_rows
from gateway.protocol.failure_kind import CODES, FailureKind

ERRORS = Path(__file__).parents[3] / "docs" / "errors.md"


def test_the_document_has_the_table_of_the_code():
    assert as_markdown() in ERRORS.read_text()


def test_every_kind_says_how_it_is_told():
    rows = {row["kind"]: row for row in failure_rows()}
    assert rows.keys() == {kind.value for kind in FailureKind}
    assert all(row["told_by"] for row in rows.values())
    told = " ".join(row["told_by"] for row in rows.values())
    assert all(f"`{code}`" in told for code, one in CODES.items() if one.kind)
