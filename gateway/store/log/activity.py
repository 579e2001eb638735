"""What happened lately: requests that failed, and when keys were last used."""

from collections.abc import Sequence

from gateway.store.log.queries import Record, select_rows

SPAN_MS = 3_600_000


def recent_errors(now: int) -> Record:
    """The requests of the last hour before `now` (unix ms), and whose fault it was."""
    since = now - SPAN_MS
    [requests] = select_rows(
        "SELECT COUNT(*) FROM request_log WHERE created_at >= ?", (since,)
    )[0]
    # Said twice, it opens the index of the failures, which has those who left, too.
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


def last_uses() -> dict[int, float]:
    """When each key was last used, unix seconds.

    Of those that the log has nothing of any more, the beginning of that day.
    """
    days = select_rows(
        "SELECT api_key_id, MAX(start) FROM usage_day "
        "WHERE api_key_id > 0 GROUP BY api_key_id"
    )
    known = _latest_rows("api_key")
    return {key: at / 1000 for key, at in days} | known


def last_logged(key_ids: Sequence[int]) -> dict[int, float]:
    """When each of these keys was last used, unix seconds, as far as the log goes."""
    if not key_ids:
        return {}
    marks = ", ".join("?" * len(key_ids))
    return _latest_rows(f"api_key WHERE id IN ({marks})", key_ids)


def _latest_rows(keys: str, values: Sequence[int] = ()) -> dict[int, float]:
    """One look into an index for each key, however many rows it has."""
    rows = select_rows(
        "SELECT id, (SELECT MAX(created_at) FROM request_log "
        f"WHERE api_key_id = api_key.id) FROM {keys}",
        values,
    )
    return {key: at / 1000 for key, at in rows if at is not None}
