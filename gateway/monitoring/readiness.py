"""Readiness: whether requests can be served, and if not, why."""

import time

from gateway.monitoring.observed import Observed

# A row that waits longer for the database than this makes the process unready.
WRITER_LAG_SECONDS = 10.0


def readiness(gateway: Observed) -> dict[str, str]:
    """What `/health/ready` answers: "ok", or what is wrong, by check."""
    now, pool = time.time(), gateway.pool
    serving = any(
        account.health.takes_requests(now)
        and pool.verdicts.base(account).edge_until <= now
        for account in pool.accounts.values()
    )
    return {
        "database": _database(gateway),
        "accounts": "ok" if serving else "no account is in service",
        "drain": "draining" if gateway.is_draining else "ok",
    }


def _database(gateway: Observed) -> str:
    writer = gateway.store.writer
    if gateway.store.file_trouble is not None:
        return gateway.store.file_trouble
    if writer.last_error is not None:
        return f"not writable: {writer.last_error}"
    if writer.lag_seconds > WRITER_LAG_SECONDS:
        return f"rows wait for {writer.lag_seconds:.0f} s"
    return "ok"
