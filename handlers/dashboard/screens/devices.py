"""/dashboard/devices: what signed in to all seats, for owners, who end any of it."""

import time
from functools import partial

from gateway.admin.users.people import device_number, sign_out_device
from handlers.dashboard.forms import SentForm
from handlers.dashboard.sign_in.users import MOST_SHOWN, OwnersPage

DEVICES = "/dashboard/devices"


class DevicesPage(OwnersPage):
    """Those that may go on, the latest first."""

    def get(self) -> None:
        self.must_be_fresh()
        now, oauth = time.time(), self.gateway.oauth
        number = self.get_query_argument("person", "")
        users = (one for one in self.gateway.sign_in.users if str(one.id) == number)
        person = next(users, None)
        seat = oauth.seat_of(person.id) if person else None
        held = oauth.devices(seat.id if seat else None)
        shown = [one for one in held if not one.is_over(now)]
        shown.sort(key=lambda one: one.created_at, reverse=True)
        seats = {key.id: key for key in self.gateway.ring}
        self.show_plain(
            "devices.html",
            devices=shown[:MOST_SHOWN],
            hidden=max(0, len(shown) - MOST_SHOWN),
            seats=seats,
            person=person.name if person and seat else "",
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        """Softly, or from its next turn on. Raises NotThere."""
        self.must_be_fresh()
        number = device_number(form.get("device", ""))
        ended = partial(sign_out_device, at_once=form.get("action") == "end")
        await self.change(ended, number, self.actor)
        self.go(DEVICES)
