"""/dashboard/notices: what operators were told, and a test of the channels."""

from collections.abc import Mapping
from typing import ClassVar

from gateway.admin.live.notices import NOTICE_QUERY, page_of_notices
from gateway.notifications.configured import try_channels
from gateway.sign_in.users import Role
from gateway.store.log.queries import Record
from handlers.dashboard.forms import SentForm
from handlers.dashboard.screens.record.lists import Fetch, ListScreen

_LEVELS = {"told": "good", "waiting": "warn", "given up": "bad"}


class NoticesScreen(ListScreen):
    """The notices of three months, the newest first."""

    least_role: ClassVar[Mapping[str, Role]] = {"get": Role.VIEWER, "post": Role.OWNER}
    template = "notices.html"
    query = NOTICE_QUERY
    filters: ClassVar = ()
    tried: tuple[object, ...] = ()  # of the test that was asked for just now

    async def submit(self, form: SentForm, *path: str) -> None:
        """Tell every channel something now; what they answer stands in the page."""
        channels = self.gateway.notifications.channels
        self.tried = tuple(await try_channels(channels))
        await self.get()

    def live(self) -> Record:
        channels = [channel.name for channel in self.gateway.notifications.channels]
        return {
            "channels": channels,
            "tried": self.tried,
            "may_test": self.is_at_least(Role.OWNER),
            "levels": _LEVELS,
            **super().live(),
        }

    def fetch(self, wanted: Record) -> Fetch:
        return lambda before, after, most: page_of_notices(most, before, after)
