"""Remedies: why a request failed and what to do, as docs/errors.md has it."""

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from gateway.admin.explained.documents import ERRORS_DOCUMENT, rows
from gateway.store.log.queries import Record


class Remedy(NamedTuple):
    """Markdown, as the documents have it."""

    cause: str
    fix: str


# Whose fault a failure is, and what helps against those that no document names.
WHOSE = {
    "client": ("the request or its key", "change the request as the message says"),
    "gateway": ("the gateway or its owner", "`run.py doctor` looks for what is wrong"),
    "account": (
        "the account's login, plan or limits",
        "`run.py accounts list` says how the account fares",
    ),
    "upstream": (
        "the service",
        "send it again; where that does not help, its status page",
    ),
    "network": ("the way to the service", "look at the network and at proxies on it"),
}
_UPSTREAMS_WORD = "the service's own code; its message says what it means"
_UNKNOWN = "nothing more is known of it"
_HUNG_UP = Remedy(
    "the client hung up before the answer's end",
    "nothing where somebody stopped it; else raise the timeout of the client, or of a "
    "proxy before the gateway",
)


def find_remedy(row: Record) -> Remedy | None:
    """Of a row of the log, or a light one; None when it did not fail."""
    if row["status"] == "success":
        return None
    code, origin = row["error_code"], row.get("error_origin")
    if code is None and row["status"] == "interrupted":
        return _HUNG_UP
    told = _rows().get(code or "", ())
    if told:
        best = max(told, key=lambda one: _likeness(one, row))
        return Remedy(best["cause"], best["fix"])
    _, fix = WHOSE.get(origin or "", ("", _UNKNOWN))
    is_theirs = code is not None and origin in ("client", "account", "upstream")
    return Remedy(_UPSTREAMS_WORD if is_theirs else _UNKNOWN, fix)


def _likeness(told: Mapping[str, str], row: Record) -> tuple[bool, ...]:
    """One code may be a key's limit or an account's, a request's fault or a server's.

    A light row tells no origin: it is about the request or its key.
    """
    is_light = row["status"] == "refused"
    origin = "client" if is_light else row["error_origin"] or ""
    statuses = told.get("status")  # what came from upstream has any
    return (
        statuses is None or str(row["http_status"]) in statuses,
        origin in re.findall(r"\w+", told["whose"]),
        is_light == ("client" in told["whose"]),
    )


@cache
def _rows() -> dict[str, list[dict[str, str]]]:
    """The rows of an error's code."""
    found: dict[str, list[dict[str, str]]] = {}
    for codes, row in rows(ERRORS_DOCUMENT):
        for code in codes if "cause" in row else ():
            found.setdefault(code, []).append(row)
    return found
