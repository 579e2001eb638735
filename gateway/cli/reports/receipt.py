"""A request's receipt, told to a person."""

from collections.abc import Iterable

import click

from gateway.admin.explained.receipt import (
    ReceiptAttempt,
    accounts_passed_over,
    attempts,
    counted_cost,
    error_facts,
    is_estimated,
    model_facts,
    phases,
)
from gateway.admin.explained.remedies import find_remedy
from gateway.cli.output import format_time, text
from gateway.store.log.queries import Record


def print_receipt(row: Record) -> None:
    """Who asked, what was chosen and why, what was retried, how long it took."""
    for name, value in _facts(row):
        click.echo(f"{name + ':':<12}{value}")
    print_remedy(row)
    _print_lines(
        "passed over", (f"{text(a)}: {text(b)}" for a, b in accounts_passed_over(row))
    )
    _print_lines("attempts", map(_attempt, attempts(row)))
    _print_lines(
        "phases, ms from the start",
        (f"{phase.at:>8}  {phase.name}" for phase in phases(row)),
    )
    _print_lines("changed in the request", map(text, row["changes"]))


def print_remedy(row: Record) -> None:
    """Why it failed and what to do, where it did."""
    remedy = find_remedy(row)
    if remedy is not None:
        click.echo(f"{'cause:':<12}{text(remedy.cause)}")
        click.echo(f"{'to do:':<12}{text(remedy.fix)}")


def _print_lines(title: str, lines: Iterable[str]) -> None:
    for number, line in enumerate(lines):
        if not number:
            click.echo(f"{title}:")
        click.echo(f"  {line}")


def _facts(row: Record) -> list[tuple[str, str]]:
    receipt = row["receipt"]
    facts = [
        ("request", row["request_id"]),
        ("response", row["response_id"]),
        ("upstream", row["upstream_request_id"]),
        ("at", format_time(row["created_at"] / 1000)),
        ("from", f"{row['client_address']} {row['user_agent']}"),
        ("key", row["key"]),
        ("device", row["device_id"] and f"{row['device']}, number {row['device_id']}"),
        ("route", f"{row['surface']} {row['route']} over {row['transport']}"),
        ("model", ", ".join(model_facts(row))),
        ("account", row["account"]),
        ("why", receipt.get("reason")),
        ("before", receipt.get("switched_from")),
        ("outcome", f"{row['status']}, status {row['http_status']}"),
        ("error", _error(row)),
        ("tokens", _tokens(row)),
        ("cost", _cost(row)),
        ("bytes", f"{row['request_bytes']} in, {row['response_bytes']} out"),
    ]
    return [(name, text(value)) for name, value in facts if value]


def _error(row: Record) -> str | None:
    if row["error_code"] is None:
        return None
    facts = ", ".join(f"{name} {text(value)}" for name, value in error_facts(row))
    return f"{row['error_code']}: {row['error_message']}" + (facts and f" ({facts})")


def _tokens(row: Record) -> str:
    estimated = ", estimated: upstream told no count" if is_estimated(row) else ""
    return (
        f"{row['input_tokens']} in ({row['cached_tokens']} cached), "
        f"{row['output_tokens']} out ({row['reasoning_tokens']} reasoning){estimated}"
    )


def _cost(row: Record) -> str:
    cost, counted = row["cost_microdollars"], counted_cost(row)
    if cost is not None:
        return _dollars(cost)
    if counted is None:
        return "unknown"
    return (
        f"unknown; the key's cost limits count {_dollars(counted)}, the dearest known"
    )


def _dollars(microdollars: int) -> str:
    return f"${microdollars / 1_000_000:.6f}"


def _attempt(attempt: ReceiptAttempt) -> str:
    told = [f"{attempt.at} ms", text(attempt.account)]
    if attempt.phase:
        told.append(f"failed in {text(attempt.phase)}")
    if attempt.status or attempt.code:
        told.append(
            " ".join(text(one) for one in (attempt.status, attempt.code) if one)
        )
    if attempt.judgement and attempt.speaks_against:
        told.append(f"{attempt.judgement}, speaks against {attempt.speaks_against}")
    told.append(text(attempt.then))
    return "  ".join(told)
