"""/dashboard/keys/NAME/rotate, /reset, /remove: what of a key does not come back."""

import time
from dataclasses import replace
from typing import ClassVar

from gateway.admin.errors import Unacceptable
from gateway.admin.keys import remove_key, replace_token, reset_usage
from gateway.keys.key import Key
from gateway.sign_in.users import Role
from handlers.dashboard.base import PageHandler
from handlers.dashboard.forms import SentForm
from handlers.dashboard.screens.keys.create import issue_once, show_made, take_once
from handlers.dashboard.screens.keys.key_links import KEYS, key_at, key_url
from handlers.dashboard.screens.keys.limits import limit_uses

# How long the old token may be good beside the new one, as the form offers it.
OVERLAPS = {"1h": "hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}


class KeyRotateScreen(PageHandler):
    """A new token for a key, shown once; for who signed in minutes ago."""

    least_role: ClassVar = {"get": Role.OPERATOR, "post": Role.OPERATOR}

    async def get(self, name: str) -> None:
        self.must_be_fresh()
        key = key_at(self.gateway, name)
        self.show_plain(
            "keys/rotate.html",
            key=key,
            url=key_url(key),
            overlaps=OVERLAPS,
            once=issue_once(self),
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        self.must_be_fresh()
        key = key_at(self.gateway, *path)
        take_once(self, form)
        overlap = form.get("other", "").strip() or form.get("overlap", "") or None
        made = await self.change(replace_token, key.name, self.actor, overlap)
        show_made(self, made, key_url(replace(key, prefix=made.prefix)))


class KeyResetScreen(PageHandler):
    """All limits of a key begun anew."""

    least_role: ClassVar = {"get": Role.OPERATOR, "post": Role.OPERATOR}

    async def get(self, name: str) -> None:
        key = key_at(self.gateway, name)
        uses = limit_uses(self.gateway.limiter, key, time.time())
        self.show_plain("keys/reset.html", key=key, uses=uses, url=key_url(key))

    async def submit(self, form: SentForm, *path: str) -> None:
        key = key_at(self.gateway, *path)
        await self.gateway.flush()  # so that what was used is told
        await self.change(reset_usage, key.name, self.actor)
        self.go(key_url(key))


class KeyRemoveScreen(PageHandler):
    """A key forgotten: its name is typed, by who signed in minutes ago."""

    least_role: ClassVar = {"get": Role.OPERATOR, "post": Role.OPERATOR}

    async def get(self, name: str) -> None:
        self.must_be_fresh()
        key = key_at(self.gateway, name)
        self.show_plain("keys/remove.html", key=key, url=key_url(key))

    async def submit(self, form: SentForm, *path: str) -> None:
        self.must_be_fresh()
        key = key_at(self.gateway, *path)
        check_typed(form, key)
        await self.change(remove_key, key.name, self.actor)
        self.go(KEYS)


def check_typed(form: SentForm, key: Key) -> None:
    """Raises Unacceptable unless the key's name was typed."""
    if form.get("typed", "").strip() != key.name:
        raise Unacceptable("This is not the key's name", param="typed")
