"""/dashboard/people: who has a seat, and the form that invites somebody."""

import time
from collections import Counter
from functools import partial
from typing import Any

from gateway.admin.errors import NotThere
from gateway.admin.users.entities import INVITATION
from gateway.admin.users.people import invite, person_state
from handlers.dashboard.forms import SentForm
from handlers.dashboard.screens.keys.create import (
    checked,
    choices,
    issue_once,
    take_once,
)
from handlers.dashboard.screens.keys.key_form import KeyFields, given_rules
from handlers.dashboard.screens.keys.limits import fullest, limit_uses
from handlers.dashboard.sign_in.users import MOST_SHOWN, OwnersPage

PEOPLE_URL = "/dashboard/people"
_LIMITS_SHOWN = 2  # of a person, the fullest


class PeoplePage(OwnersPage):
    """All who have a seat; its form makes another link for who has not come yet."""

    def get(self) -> None:
        self.must_be_fresh()
        gateway, now = self.gateway, time.time()
        seats = {key.user_id: key for key in gateway.ring if key.user_id is not None}
        held = Counter(
            one.key_id for one in gateway.oauth.devices() if not one.is_over(now)
        )
        users = [one for one in gateway.sign_in.users if one.id in seats]
        users.sort(key=lambda one: one.name.casefold())
        shown = [(one, person_state(one), seats[one.id]) for one in users[:MOST_SHOWN]]
        self.show_plain(
            "people/list.html",
            people=shown,
            hidden=max(0, len(users) - MOST_SHOWN),
            held=held,
            uses={
                key.id: fullest(limit_uses(gateway.limiter, key, now), _LIMITS_SHOWN)
                for _, _, key in shown
            },
            once=issue_once(self),
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        """A link like the first one, which ends with it."""
        self.must_be_fresh()
        take_once(self, form)
        number = form.get("person", "")
        for user in self.gateway.sign_in.users:
            if str(user.id) == number and self.gateway.oauth.seat_of(user.id):
                await show_invitation(self, user.name, {})
                return
        raise NotThere("person", f"#{number:.20}")


class InvitePage(OwnersPage):
    """A person, and what the seat may do; or the key that becomes the seat."""

    async def get(self) -> None:
        self.must_be_fresh()
        given = self.given
        fields = (
            KeyFields.sent(given) if isinstance(given, SentForm) else KeyFields.empty()
        )
        free = [key.name for key in self.gateway.ring if key.user_id is None]
        await self.show(
            "people/invite.html",
            dict,
            fields=fields,
            keys=sorted(free, key=str.casefold),
            **choices(self.gateway, None),
            once=issue_once(self),
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        self.must_be_fresh()
        take_once(self, form)
        told = {"name": form.get("name", "").strip(), "key": form.get("key") or None}
        rules = checked(INVITATION, {**given_rules(form), **told})
        key = rules.pop("key")
        await show_invitation(self, rules.pop("name"), rules, key)


async def show_invitation(
    page: OwnersPage, name: str, rules: dict[str, Any], key: str | None = None
) -> None:
    """Invite a person, and show the link, this once; a user with a password needs none.

    Raises Unacceptable and the like, with the field that is meant.
    """
    made = await page.change(partial(invite, key=key), name, rules, page.actor)
    if made is None:
        page.go(PEOPLE_URL)
    else:
        page.show_link(made)
