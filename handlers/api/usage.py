"""GET /v1/usage: what a key has used and how much of its limits is left."""

import time
from typing import Any

from gateway.admin.costs.cost_limits import tell_unpriced
from gateway.store.log.usage_sums import usage_report
from handlers.bodies import BodilessHandler


class KeyUsageHandler(BodilessHandler):
    """Always asks for a valid key, and tells of that one only."""

    async def get(self) -> None:
        key = self.current_key
        assert key is not None  # the route's door lets nobody in without
        limits = self.gateway.limiter.report(key, time.time())
        used, limits = await self.gateway.store.read(_told, key.id, limits)
        self.write_json({**used, "limits": limits})


def _told(key_id: int, limits: list[dict[str, Any]]) -> tuple[Any, Any]:
    return _since_it_was_made(key_id), tell_unpriced(key_id, limits)


def _since_it_was_made(key_id: int) -> dict[str, Any]:
    rows = usage_report(("key",), since=0, api_key_id=key_id)
    total = rows[0] if rows else {}
    tokens = total.get("input_tokens", 0) + total.get("output_tokens", 0)
    return {
        "request_count": total.get("requests", 0),
        "unpriced_requests": total.get("unpriced", 0),
        "total_tokens": tokens,
        "cached_input_tokens": total.get("cached_tokens", 0),
        "total_cost_usd": total.get("cost_microdollars", 0) / 1_000_000,
    }
