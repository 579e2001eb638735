"""/dashboard/my: what the holder of a key may know, of that key alone."""

import time
from typing import Any, ClassVar

from gateway.store.log.conversations import conversation_page
from handlers.dashboard.base import PageHandler
from handlers.dashboard.screens.keys.client_lines import SHOWN_TOKEN, client_lines
from handlers.dashboard.screens.keys.limits import limit_uses, next_for_key

SHOWN_CONVERSATIONS = 20
# Of a conversation; which accounts had it is the owner's business.
_TOLD = (
    *("name", "first_at", "last_at", "model", "turns", "errors"),
    *("input_tokens", "cached_tokens", "output_tokens"),
    *("cost_microdollars", "unpriced"),
)


class MyScreen(PageHandler):
    """For who signed in with an API key."""

    is_for_holders: ClassVar = True

    async def get(self) -> None:
        key, now = self.holder, time.time()
        assert key is not None  # or this page is not shown
        gateway = self.gateway
        uses = limit_uses(gateway.limiter, key, now)
        report = gateway.limiter.report(key, now)
        await self.show(
            "keys/my.html",
            read_conversations,
            key.id,
            key=key,
            uses=uses,
            rates=[one for one in report if one["limit_window"] in ("rpm", None)],
            next_steps=next_for_key(key, uses, now, gateway.settings.time_zone),
            lines=client_lines(self, key, SHOWN_TOKEN),
        )


def read_conversations(key_id: int) -> dict[str, Any]:
    """The latest conversations of a key, with what they cost."""
    found = conversation_page(api_key_id=key_id, limit=SHOWN_CONVERSATIONS)
    return {"conversations": [{name: row[name] for name in _TOLD} for row in found]}
