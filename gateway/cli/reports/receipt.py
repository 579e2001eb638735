"""A request's receipt, told to a person."""

from typing import Any

import click

from gateway.cli.output import format_time, text
from gateway.store.log.queries import Record

_PHASES = (
    ("body_ms", "body read and checked"),
    ("queue_ms", "account chosen"),
    ("connect_ms", "upstream answered"),
    ("first_event_ms", "first event"),
    ("first_output_ms", "first output"),
    ("duration_ms", "end"),
)


def print_receipt(row: Record) -> None:
    """Who asked, what was chosen and why, what was retried, how long it took."""
    for name, value in _facts(row):
        click.echo(f"{name + ':':<12}{value}")
    receipt: dict[str, Any] = row["receipt"]
    if receipt.get("passed_over"):
        click.echo("passed over:")
        for account, why in receipt["passed_over"]:
            click.echo(f"  {text(account)}: {text(why)}")
    if receipt.get("attempts"):
        click.echo("attempts:")
        for attempt in receipt["attempts"]:
            click.echo(f"  {_attempt(attempt)}")
    phases = [(text, row[name]) for name, text in _PHASES if row[name] is not None]
    if phases:
        click.echo("phases, ms from the start:")
        for phase, at in phases:
            click.echo(f"  {at:>8}  {phase}")
    if row["changes"]:
        click.echo("changed in the request:")
        for change in row["changes"]:
            click.echo(f"  {text(change)}")


def _facts(row: Record) -> list[tuple[str, str]]:
    receipt = row["receipt"]
    facts = [
        ("request", row["request_id"]),
        ("response", row["response_id"]),
        ("upstream", row["upstream_request_id"]),
        ("at", format_time(row["created_at"] / 1000)),
        ("from", f"{row['client_address']} {row['user_agent']}"),
        ("key", row["key"]),
        ("route", f"{row['surface']} {row['route']} over {row['transport']}"),
        ("model", _model(row)),
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


def _model(row: Record) -> str:
    parts = [row["model"] or "-"]
    if row["requested_model"] not in (None, row["model"]):
        parts.append(f"asked for as {row['requested_model']}")
    if row["receipt"].get("served"):
        parts.append(f"served as {row['receipt']['served']}")
    if row["service_tier"] or row["requested_tier"]:
        parts.append(f"tier {row['service_tier'] or row['requested_tier']}")
    if row["reasoning_effort"]:
        parts.append(f"effort {row['reasoning_effort']}")
    if row["is_prewarm"]:
        parts.append("prewarm")
    return ", ".join(parts)


def _error(row: Record) -> str | None:
    if row["error_code"] is None:
        return None
    told = row["receipt"].get("error") or {}
    named = "".join(f", {name} {text(one)}" for name, one in told.items() if one)
    where = f", {row['error_phase']}" if row["error_phase"] else ""
    blame = f" (origin {row['error_origin']}{where})" if row["error_origin"] else ""
    return f"{row['error_code']}: {row['error_message']}{named}{blame}"


def _tokens(row: Record) -> str:
    return (
        f"{row['input_tokens']} in ({row['cached_tokens']} cached), "
        f"{row['output_tokens']} out ({row['reasoning_tokens']} reasoning)"
    )


def _cost(row: Record) -> str:
    cost, counted = row["cost_microdollars"], row["receipt"].get("counted")
    if cost is not None:
        return _dollars(cost)
    if not isinstance(counted, int):
        return "unknown"
    return (
        f"unknown; the key's cost limits count {_dollars(counted)}, the dearest known"
    )


def _dollars(microdollars: int) -> str:
    return f"${microdollars / 1_000_000:.6f}"


def _attempt(attempt: dict[str, Any]) -> str:
    told = [f"{attempt.get('ms', '?')} ms", text(attempt.get("account"))]
    status, code = attempt.get("status"), attempt.get("code")
    if attempt.get("phase"):
        told.append(f"failed in {text(attempt['phase'])}")
    if status or code:
        told.append(" ".join(text(one) for one in (status, code) if one))
    told.append(text(attempt.get("then")))
    return "  ".join(told)
