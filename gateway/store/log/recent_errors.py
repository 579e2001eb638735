"""How many requests failed lately, and whose fault it was."""

from gateway.store.log.queries import Record, select_rows

SPAN_MS = 3_600_000


def recent_errors(now: int) -> Record:
    """The requests of the last hour before `now` (unix ms)."""
    since = now - SPAN_MS
    [requests] = select_rows(
        "SELECT COUNT(*) FROM request_log WHERE created_at >= ?", (since,)
    )[0]
    by_origin = select_rows(
        "SELECT COALESCE(error_origin, 'unknown'), COUNT(*) FROM request_log "
        "WHERE created_at >= ? AND status <> 'success' AND status = 'error' "
        "GROUP BY 1 ORDER BY 2 DESC, 1",
        (since,),
    )
    return {
        "since": since / 1000,
        "requests": requests,
        "failed": sum(number for _, number in by_origin),
        "by_origin": dict(by_origin),
    }
