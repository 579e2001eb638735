"""The request log of a gateway whose database a shell cannot open."""

import time
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import urlencode

import click

from gateway.admin.entities import LONGEST_PAGE
from gateway.admin.reports import parse_since
from gateway.cli.admin_client import Client
from gateway.store.log.queries import Record

MOST_ROWS = 10_000  # in memory at once: pages come newest first


def distant_rows(
    client: Client, wanted: dict[str, Any], limit: int, zone: tzinfo
) -> list[Record]:
    """The newest rows, the oldest first."""
    if limit > MOST_ROWS:
        raise click.UsageError(
            f"--limit: at most {MOST_ROWS:,} without the database itself"
        )
    asked = {name: one for name, one in wanted.items() if one is not None}
    if "since" in asked:
        since = parse_since(asked["since"], time.time(), zone) / 1000
        asked["since"] = datetime.fromtimestamp(since, UTC).isoformat()
    rows: list[Record] = []
    while len(rows) < limit:
        asked["limit"] = min(LONGEST_PAGE, limit - len(rows))
        page = client.call("GET", f"/api/logs?{urlencode(asked)}")
        rows += page["logs"]
        if page["next"] is None:
            break
        asked["before"] = page["next"]
    return rows[::-1]
