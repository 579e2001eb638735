"""What cost limits counted without a price."""

from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from gateway.store.log.usage_sums import usage_report


def tell_unpriced(key_id: int, limits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a key's limits; those that count cost say how many requests of
    their window, from its first full hour on, they counted at the dearest.

    Reads the sums: run it off the loop.
    """
    for row in limits:
        if row["limit_type"] != "cost_usd":
            continue
        since = int(datetime.fromisoformat(row["began_at"]).timestamp() * 1000)
        sums = usage_report(("model",), since=since, api_key_id=key_id)
        glob = row["model_filter"] or "*"
        row["unpriced_requests"] = sum(
            one["unpriced"] for one in sums if fnmatchcase(one["model"], glob)
        )
    return limits
