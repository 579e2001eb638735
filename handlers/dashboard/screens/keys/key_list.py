"""/dashboard/keys: all keys, how full their limits are, and stopping one."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, ClassVar

from gateway.admin.errors import Unacceptable
from gateway.admin.keys import set_disabled
from gateway.app import Gateway
from gateway.keys.key import Key
from gateway.sign_in.users import Role
from gateway.store.log.activity import last_logged
from handlers.dashboard.base import PageHandler
from handlers.dashboard.forms import SentForm
from handlers.dashboard.screens.keys.key_links import KEYS, NEW, key_at, key_url
from handlers.dashboard.screens.keys.limits import LimitUse, fullest, limit_uses

KEYS_A_PAGE = 50
# Bars of one key in the list; its own page has all.
SHOWN_LIMITS = 3
SWITCHES = ("disable", "enable")
_STATES = ("active", "disabled", "expired")


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key in the list."""

    key: Key
    url: str
    state: str
    uses: list[LimitUse]  # the fullest

    @classmethod
    def of(cls, gateway: Gateway, key: Key, now: float) -> "KeyRow":
        uses = list(fullest(limit_uses(gateway.limiter, key, now), SHOWN_LIMITS))
        return cls(key, key_url(key), state_of(key, now), uses)

    @property
    def more(self) -> int:
        """Limits that are not shown."""
        return len(self.key.limits) - len(self.uses)


def state_of(key: Key, now: float) -> str:
    if key.disabled:
        return "disabled"
    return "expired" if key.is_expired(now) else "active"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which keys: by a part of the name or a prefix, by state; behind so many."""

    part: str = ""
    state: str = ""
    skipped: int = 0

    def includes(self, key: Key, now: float) -> bool:
        part = self.part.casefold()
        is_named = part in key.name.casefold() or key.prefix.startswith(self.part)
        return is_named and self.state in ("", state_of(key, now))


def chosen(keys: tuple[Key, ...], wanted: Wanted, now: float) -> tuple[list[Key], int]:
    """The keys of a page, by name, and how many there are in all."""
    found = [key for key in keys if wanted.includes(key, now)]
    found.sort(key=lambda key: (key.name.casefold(), key.id))
    return found[wanted.skipped : wanted.skipped + KEYS_A_PAGE], len(found)


class KeysScreen(PageHandler):
    """All keys, a page of them at a time; its form stops one, or lets it go on."""

    least_role: ClassVar = {"get": Role.VIEWER, "post": Role.OPERATOR}

    async def get(self) -> None:
        wanted, now = self._wanted(), time.time()
        held = tuple(self.gateway.ring)
        keys, found = await asyncio.to_thread(chosen, held, wanted, now)
        await self.show(
            "keys/list.html",
            read_uses,
            [key.id for key in keys],
            rows=[KeyRow.of(self.gateway, key, now) for key in keys],
            found=found,
            held=len(held),
            ever_made=self.gateway.ring.ever_made,
            wanted=wanted,
            page_rows=KEYS_A_PAGE,
            states=_STATES,
            new_url=f"{KEYS}/{NEW}",
        )

    def _wanted(self) -> Wanted:
        """A filter that is none is as if it were not there: links grow old."""
        state = self.get_query_argument("state", "")
        after = self.get_query_argument("after", "")
        return Wanted(
            self.get_query_argument("q", "").strip()[:128],
            state if state in _STATES else "",
            int(after) if after.isascii() and after.isdigit() and len(after) < 8 else 0,
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        """Disable or enable the key of the row."""
        await switch_key(self, form)
        self.go(self.request.uri or KEYS)


async def switch_key(screen: PageHandler, form: SentForm, name: str = "") -> None:
    """From the next request on the key is refused, or accepted again."""
    key = key_at(screen.gateway, name or form.get("key", ""))
    wanted = form.get("switch")
    if wanted not in SWITCHES:
        raise Unacceptable(f"switch is one of {', '.join(SWITCHES)}", param="switch")

    def switch(key_name: str, actor: str) -> None:
        set_disabled(key_name, actor, disabled=wanted == SWITCHES[0])

    await screen.change(switch, key.name, screen.actor)


def read_uses(ids: list[int]) -> dict[str, Any]:
    """When these keys were last used, as the log knows."""
    return {"last_uses": last_logged(ids)}
