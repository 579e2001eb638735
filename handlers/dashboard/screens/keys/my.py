"""/dashboard/my: what the holder of a key or seat may know, of that one alone."""

import time
from typing import Any, ClassVar

from gateway.admin.errors import NotThere
from gateway.oauth.devices import Device, EndReason
from gateway.store.log.conversations import conversation_page
from handlers.dashboard.base import HOLDERS, PageHandler
from handlers.dashboard.forms import SentForm
from handlers.dashboard.screens.keys.client_lines import (
    SHOWN_TOKEN,
    client_lines,
    gateway_url,
    sign_in_lines,
)
from handlers.dashboard.screens.keys.limits import limit_uses, next_for_key

SHOWN_CONVERSATIONS = 20
TOLD_SECONDS = 30 * 86_400  # so long it stands there that a device was copied
# Of a conversation; which accounts had it is the owner's business.
_TOLD = (
    *("name", "first_at", "last_at", "model", "turns", "errors"),
    *("input_tokens", "cached_tokens", "output_tokens"),
    *("cost_microdollars", "unpriced"),
)


class MyScreen(PageHandler):
    """For who signed in with an API key, or has a seat; a person ends own devices."""

    is_for_holders: ClassVar = True

    async def get(self) -> None:
        key, now = self.seat, time.time()
        assert key is not None  # or this page is not shown
        gateway = self.gateway
        held = gateway.oauth.devices(key.id) if self.user else []
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
            lines=[] if self.user else client_lines(self, key, SHOWN_TOKEN),
            signing_in=sign_in_lines(self, key) if self.user else None,
            device_url=f"{gateway_url(self)}/device",
            devices=[one for one in held if not one.is_over(now)],
            copied=[one for one in held if _is_news(one, now)],
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        """End a device at once: Codex on it is refused from its next turn on."""
        key, number = self.seat, form.get("device", "")
        held = self.gateway.oauth.devices(key.id) if key and self.user else []
        if number not in [str(one.id) for one in held]:
            raise NotThere("device", f"#{number:.20}")
        await self.gateway.oauth.sign_out(int(number), self.actor, at_once=True)
        self.go(HOLDERS)


def _is_news(device: Device, now: float) -> bool:
    """Whether its end is to be told to its person, who has not asked for it."""
    is_copied = device.end_reason == EndReason.REUSE
    return is_copied and (device.ends_at or 0) > now - TOLD_SECONDS


def read_conversations(key_id: int) -> dict[str, Any]:
    """The latest conversations of a key, with what they cost."""
    found = conversation_page(api_key_id=key_id, limit=SHOWN_CONVERSATIONS)
    return {"conversations": [{name: row[name] for name in _TOLD} for row in found]}
