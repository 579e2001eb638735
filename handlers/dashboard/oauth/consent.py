"""ConsentPage: who asks, from where, for which seat; a person decides."""

import time
from collections.abc import Mapping
from typing import ClassVar

from gateway.admin.errors import Unacceptable
from gateway.oauth.authorization import PendingRequest
from gateway.sign_in.users import Role, User
from handlers.dashboard.forms import SentForm
from handlers.dashboard.page_errors import SignInNeeded
from handlers.dashboard.screens.keys.limits import limit_uses
from handlers.dashboard.sign_in.signing_in import EntryPage

# What a person can decide, as the form's buttons say it: whether it is allowed.
_DECISIONS = {"approve": True, "deny": False}


class ConsentPage(EntryPage):
    """For users with a seat, who signed in lately."""

    least_role: ClassVar[Mapping[str, Role]] = {
        "get": Role.HOLDER,
        "post": Role.HOLDER,
    }

    async def person(self) -> User:
        """Who decides. Raises FreshSignInNeeded, DashboardClosed, SeatLacking.

        A sign-on proxy says of each request whose it is.
        """
        self.check_safe()
        if self.session is not None:
            self.must_be_fresh()
        if self.user is None:
            raise SignInNeeded
        await self.gateway.oauth.check_seat(self.user.id)
        return self.user

    def decision(self, form: SentForm) -> bool:
        """Whether Codex may sign in. Raises Unacceptable."""
        decided = _DECISIONS.get(form.get("action", ""))
        if decided is None:
            raise Unacceptable("Allow it, or refuse it", param="action")
        return decided

    def show_consent(
        self, user: User, pending: PendingRequest, fields: Mapping[str, str]
    ) -> None:
        """Ask the person; `fields` name the request in the form that is sent here."""
        seat = self.gateway.oauth.seat_of(user.id)
        now = time.time()
        self.show_plain(
            "oauth/consent.html",
            pending=pending,
            is_elsewhere=pending.address != self.browser.address,
            own_address=self.browser.address,
            key=seat,
            uses=[] if seat is None else limit_uses(self.gateway.limiter, seat, now),
            fields=fields,
            url=self.request.uri,
        )
