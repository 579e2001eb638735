"""Scripts and style sheets of the pages, for good under the URL of their content."""

from typing import ClassVar

from gateway.errors import NotFound
from handlers.bodies import BodilessHandler
from handlers.dashboard.doors import check_static_door
from handlers.dashboard.static_files import static_files

_ONE_YEAR = 31_536_000


class StaticHandler(BodilessHandler):
    """One file; it needs no session, for there is nothing of anybody in it."""

    has_own_door: ClassVar[bool] = True

    def authenticate(self) -> None:
        check_static_door(self.facts, self.gateway.settings)

    def get(self, digest: str, name: str) -> None:
        file = static_files().get(name)
        if file is None or file.url != self.request.path:
            raise NotFound("Not Found")
        self.set_header("cache-control", f"public, max-age={_ONE_YEAR}, immutable")
        self.set_header("etag", file.etag)
        self.set_header("vary", "Accept-Encoding")
        self.set_header("x-content-type-options", "nosniff")
        self.set_header("cross-origin-resource-policy", "same-origin")
        if self.facts.headers.get("if-none-match") == file.etag:
            self.set_status(304)
            self.finish()
            return
        self.set_header("content-type", file.content_type)
        is_packed = "gzip" in self.facts.headers.get("accept-encoding", "")
        if is_packed:
            self.set_header("content-encoding", "gzip")
        self.finish(file.compressed if is_packed else file.content)
