"""Forms that count once: what they do would be done again by a page loaded again.

A key that was made is on the answer to the form itself, so loading that page again
sends the form again.
"""

from secrets import token_urlsafe

from gateway.errors import GatewayError
from gateway.protocol.facts import Origin

ONE_TIME_FIELD = "once"
# Pages of all users that are open at a time; of more the oldest are to be loaded again.
MOST_OPEN = 1000
_SETTING = "one_time_forms"


class AlreadySent(GatewayError):
    """The form was sent before, or its page is of another process."""

    status = 409
    code = "form_already_sent"
    type = "invalid_request_error"
    message = (
        "This form was sent already, or its page was open for too long. Nothing was "
        "done now: look below what there is, and send it again if it is still needed"
    )
    origin: Origin = "client"


class OneTimeForms:
    """The tokens of forms that were shown and not sent yet, in this process."""

    def __init__(self) -> None:
        self._open: dict[str, str] = {}  # whose form it is, by token

    @classmethod
    def of(cls, settings: dict[str, object]) -> "OneTimeForms":
        """Those of an application, by its settings."""
        found = settings.setdefault(_SETTING, cls())
        assert isinstance(found, cls)
        return found

    def issue(self, owner: str) -> str:
        """A token for a form that a page shows to a session."""
        token = token_urlsafe(18)
        self._open[token] = owner
        if len(self._open) > MOST_OPEN:
            del self._open[next(iter(self._open))]
        return token

    def take(self, token: str, owner: str) -> None:
        """Raises AlreadySent unless it is that session's, and taken first."""
        if self._open.pop(token, None) != owner:
            raise AlreadySent
