"""The only code that opens connections to upstream."""

from typing import ClassVar

from gateway.protocol.facts import Failure


class UpstreamFault(Exception):
    """One attempt at one account failed; `failure` says how and whose fault it is.

    `may_be_shown`: upstream's own event says so, and the client may get it as it is.
    """

    may_be_shown: ClassVar[bool] = False

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
