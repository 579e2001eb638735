"""What no page is at."""

from gateway.errors import NotFound
from handlers.dashboard.base import HOME, PageHandler


class PageNotFound(PageHandler):
    """Any other path below /dashboard; the bare name leads to the first page."""

    async def get(self) -> None:
        if self.request.path == HOME.rstrip("/"):
            self.go(HOME)
            return
        raise NotFound("There is no such page")
