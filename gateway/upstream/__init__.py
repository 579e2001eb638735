"""The only code that opens connections to upstream."""

from gateway.protocol.facts import Failure


class UpstreamFault(Exception):
    """One attempt at one account failed; `failure` says how and whose fault it is.

    `may_be_shown`: upstream told it in a stream that the client may have as it is.
    """

    def __init__(self, failure: Failure, *, may_be_shown: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.may_be_shown = may_be_shown
