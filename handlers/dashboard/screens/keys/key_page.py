"""/dashboard/keys/NAME: one key, and what can be done with it."""

import time
from collections.abc import Iterable
from typing import Any, ClassVar

from gateway.admin.costs.cost_limits import tell_unpriced
from gateway.admin.errors import Unacceptable
from gateway.admin.keys import change_key
from gateway.keys.key import Limit, Measure
from gateway.keys.texts.limit_changes import add_limit, raise_limit
from gateway.sign_in.users import Role
from gateway.store.log.activity import last_logged
from handlers.admin.keys import key_answer
from handlers.dashboard.base import PageHandler
from handlers.dashboard.changes.confirming import ConfirmedScreen
from handlers.dashboard.forms import SentForm
from handlers.dashboard.screens.keys.client_lines import SHOWN_TOKEN, client_lines
from handlers.dashboard.screens.keys.key_form import LimitFields
from handlers.dashboard.screens.keys.key_links import key_at, key_url
from handlers.dashboard.screens.keys.key_list import KeyRow, switch_key
from handlers.dashboard.screens.keys.limits import limit_uses, next_for_key


class KeyScreen(PageHandler):
    """What a key may do and has used; its form stops it, or lets it go on."""

    least_role: ClassVar = {"get": Role.VIEWER, "post": Role.OPERATOR}

    async def get(self, name: str) -> None:
        gateway, now = self.gateway, time.time()
        key = key_at(gateway, name)
        uses = limit_uses(gateway.limiter, key, now)
        report = gateway.limiter.report(key, now)
        await self.show(
            "keys/key.html",
            read_key,
            key.id,
            report,
            key=key,
            row=KeyRow.of(gateway, key, now),
            shown=key_answer(gateway, key, now),
            uses=uses,
            next_steps=next_for_key(key, uses, now, gateway.settings.time_zone),
            rates=[one for one in report if one["limit_window"] in ("rpm", None)],
            measures=list(Measure),
            lines=client_lines(self, key, SHOWN_TOKEN),
            unpriced_default=gateway.settings.unpriced,
            url=lambda action="": key_url(key, action),
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        await switch_key(self, form, *path)
        self.go(key_url(key_at(self.gateway, *path)))


def read_key(key_id: int, limits: list[dict[str, Any]]) -> dict[str, Any]:
    """When it was last used, and what its cost limits counted without a price."""
    told = tell_unpriced(
        key_id, [one for one in limits if one["limit_type"] == "cost_usd"]
    )
    return {
        "last_used_at": last_logged([key_id]).get(key_id),
        "unpriced_requests": sum(one["unpriced_requests"] for one in told),
    }


class KeyLimitsScreen(ConfirmedScreen):
    """One more limit, another maximum, or one less; the others stay as they are."""

    least_role: ClassVar = {"get": Role.OPERATOR, "post": Role.OPERATOR}

    async def get(self, name: str) -> None:
        gateway, now = self.gateway, time.time()
        key = key_at(gateway, name)
        await self.show(
            "keys/limits.html",
            dict,
            key=key,
            uses=limit_uses(gateway.limiter, key, now),
            measures=list(Measure),
            url=key_url(key),
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        key = key_at(self.gateway, *path)
        rules = {"limits": changed_limits(form, key.limits)}
        title = f"Change the limits of {key.name}"
        if await self.confirmed(form, title, change_key, key.name, rules, self.actor):
            self.go(key_url(key))


def changed_limits(form: SentForm, limits: Iterable[Limit]) -> list[str]:
    """All limits of a key after what a form asks for. Raises Unacceptable."""
    held, meant, what = list(limits), form.get("limit", ""), form.get("what")
    try:
        if what == "add":
            names = ("limit_measure", "limit_amount", "limit_window", "limit_model")
            fields = LimitFields(*(form.get(one, "").strip() for one in names))
            return list(map(str, add_limit(held, fields.text)))
        if meant not in map(str, held):
            raise ValueError(f"The limit {meant!r} is not there any more")
        changed: list[str] = []
        for one in held:
            if str(one) != meant:
                changed.append(str(one))
            elif what == "raise":
                changed += map(str, raise_limit([one], raised_text(form, one)))
        return changed
    except ValueError as error:
        raise Unacceptable(str(error), param=f"{what}") from error


def raised_text(form: SentForm, limit: Limit) -> str:
    """A number alone is what comes on top."""
    amount = form.get("amount", "").strip()
    signed = amount if amount.startswith(("+", "-")) else f"+{amount}"
    return f"{limit.measure} {signed}/{limit.window}"
