"""What has no route."""

from gateway.errors import NotFound
from handlers.bodies import BodilessHandler


class NotFoundHandler(BodilessHandler):
    """Whatever has no route, in the envelope of its prefix."""

    def check_head(self) -> None:
        """No method is wrong where nothing is."""
        raise NotFound
