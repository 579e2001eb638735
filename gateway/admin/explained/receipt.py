"""A request's receipt as facts: what a command prints and a page draws."""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from gateway.admin.failure_table import failure_rows
from gateway.store.log.queries import Record

_PHASES = (
    ("body_ms", "body read and checked"),
    ("queue_ms", "account chosen"),
    ("connect_ms", "upstream answered"),
    ("first_event_ms", "first event"),
    ("first_output_ms", "first output"),
    ("duration_ms", "end"),
)


class EndedPhase(NamedTuple):
    """A phase that has ended, `at` so many ms from the request's start."""

    name: str
    at: int
    took: int  # ms since the end of the phase before


class ReceiptAttempt(NamedTuple):
    """One attempt at an account, ended `at` so many ms from the request's start."""

    at: int
    account: str
    phase: str | None  # in which it failed
    status: int | None
    code: str | None
    judgement: str | None  # the kind of the failure
    speaks_against: str | None
    then: str


def phases(row: Record) -> list[EndedPhase]:
    """In the order of their ends; a phase that never ended is not among them."""
    ended = [(name, row[column]) for column, name in _PHASES if row[column] is not None]
    return [
        EndedPhase(name, at, max(0, at - before))
        for (name, at), (_, before) in zip(ended, [("", 0), *ended], strict=False)
    ]


def attempts(row: Record) -> list[ReceiptAttempt]:
    """Of rows of earlier releases without a judgement."""
    return [_attempt(one) for one in _list(row["receipt"].get("attempts"))]


def _attempt(told: dict[str, Any]) -> ReceiptAttempt:
    kind = told.get("kind")
    return ReceiptAttempt(
        told.get("ms") or 0,
        told.get("account") or "",
        told.get("phase"),
        told.get("status"),
        told.get("code"),
        kind,
        _blamed().get(kind or ""),
        told.get("then") or "",
    )


@cache
def _blamed() -> dict[str, str]:
    return {row["kind"]: row["speaks_against"] for row in failure_rows()}


def accounts_passed_over(row: Record) -> list[tuple[str, str]]:
    """Accounts that were not to have the request, each with what kept it from it."""
    return [(account, why) for account, why in _list(row["receipt"].get("passed_over"))]


def model_facts(row: Record) -> list[str]:
    """The model first, and what differs from it or was asked of it."""
    return list(_model_facts(row))


def _model_facts(row: Record) -> Iterator[str]:
    yield row["model"] or "-"
    if row["requested_model"] not in (None, row["model"]):
        yield f"asked for as {row['requested_model']}"
    if row["receipt"].get("served"):
        yield f"served as {row['receipt']['served']}"
    if row["service_tier"] or row["requested_tier"]:
        yield f"tier {row['service_tier'] or row['requested_tier']}"
    if row["reasoning_effort"]:
        yield f"effort {row['reasoning_effort']}"
    if row["is_prewarm"]:
        yield "prewarm"


def error_facts(row: Record) -> list[tuple[str, str]]:
    """Type and field of an error, whose fault it is and where it happened."""
    told = row["receipt"].get("error") or {}
    facts = (
        ("type", told.get("type")),
        ("param", told.get("param")),
        ("origin", row["error_origin"]),
        ("phase", row["error_phase"]),
    )
    return [(name, value) for name, value in facts if value]


def counted_cost(row: Record) -> int | None:
    """Micro-dollars that the key's cost limits count for what has no price."""
    counted = row["receipt"].get("counted")
    unknown = row["cost_microdollars"] is None and isinstance(counted, int)
    return counted if unknown else None


def is_estimated(row: Record) -> bool:
    """Whether its tokens, and so its cost, are what upstream will have counted."""
    return row["receipt"].get("estimated") is True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
