"""The failures that the gateway itself detects, one constructor for each."""

from dataclasses import replace

from gateway.protocol.facts import Failure, Phase
from gateway.protocol.failure_kind import FailureKind, kind_of


def network_failure(message: str, code: str, phase: Phase) -> Failure:
    """DNS, TCP or TLS failed, or the connection was lost."""
    return Failure(phase=phase, origin="network", message=message, code=code)


def edge_refused(phase: Phase) -> Failure:
    """A page answers for upstream with 403, whichever account asks this way."""
    message = "upstream's edge refuses this gateway's address"
    return network_failure(message, "upstream_edge_refused", phase)


def upstream_timeout(phase: Phase) -> Failure:
    """Upstream did not accept the connection, or send a response, in time."""
    return Failure(
        phase=phase,
        origin="network" if phase == "connect" else "upstream",
        message=f"The wait for upstream ran out (phase: {phase})",
        code=f"upstream_{phase}_timeout",
    )


def handshake_timeout() -> Failure:
    return Failure(
        phase="handshake",
        origin="network",
        message="The upstream did not answer the WebSocket handshake",
        code="upstream_handshake_timeout",
    )


def no_first_event() -> Failure:
    return Failure(
        phase="first_event",
        origin="upstream",
        message="The wait for the first upstream event ran out (phase: first_event)",
        code="upstream_first_event_timeout",
    )


def stream_silent() -> Failure:
    """Upstream has been silent inside its response."""
    return Failure(
        phase="stream",
        origin="upstream",
        message="The upstream sent nothing for too long (phase: stream)",
        code="stream_idle_timeout",
    )


def protocol_error(message: str, phase: Phase = "headers") -> Failure:
    """Upstream sent what its protocol does not allow."""
    return Failure(
        phase=phase, origin="upstream", message=message, code="upstream_protocol_error"
    )


def event_too_large() -> Failure:
    return Failure(
        phase="stream",
        origin="upstream",
        message="An upstream event is larger than the gateway takes",
        code="stream_event_too_large",
    )


def stream_incomplete(
    message: str = "The upstream stream ended before the response was complete",
    phase: Phase = "stream",
) -> Failure:
    return Failure(
        phase=phase, origin="upstream", message=message, code="stream_incomplete"
    )


def cut_stream(failure: Failure) -> Failure | None:
    """The loss of a connection inside an answer, by the one code that it has there."""
    if kind_of(failure) is not FailureKind.CONNECTION_LOST:
        return None
    return replace(failure, code="stream_incomplete")


def socket_closed(phase: Phase = "stream") -> Failure:
    """Upstream closed a WebSocket in the middle of a response."""
    return stream_incomplete(
        "The upstream closed the socket before the response was complete", phase
    )


def login_failed(message: str, code: str) -> Failure:
    """A device login was refused, or ran out."""
    return Failure(phase="headers", origin="account", message=message, code=code)


def token_refresh_failed(
    reason: str, code: str = "token_refresh_failed", *, status: int | None = None
) -> Failure:
    """An account has no usable token, and no new one could be had."""
    return Failure(
        phase="connect",
        origin="account",
        message=f"The account's token could not be refreshed: {reason}",
        status=status,
        code=code,
    )


def is_token_failure(failure: Failure) -> bool:
    """Whether nothing was sent, for want of a token: no client had a hand in it."""
    return failure.phase == "connect" and failure.origin == "account"
