"""What a row of the comparison is, and what rows are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse
from gateway.demo.received import ReceivedRoute
from gateway.demo.upstream import ScriptedUpstream

Play = Callable[[ScriptedUpstream], object]
# Whether the client speaks WebSockets; of what only one transport can meet, one.
BOTH, SOCKETS, HTTP = (True, False), (True,), (False,)


@dataclass(frozen=True, slots=True)
class Row:
    """One behaviour of upstream, and how the two runs may differ."""

    name: str
    play: Play
    inner_wait: float = 0.0  # seconds, where the gateway waits out a short limit
    accounts: int = 2
    transports: tuple[bool, ...] = BOTH
    rule: str = ""  # why the words may differ
    longer: str = ""  # why the gateway may take longer
    options: Mapping[str, int] = field(default_factory=dict)  # of the client's provider
    settings: Mapping[str, str] = field(default_factory=dict)  # of the gateway
    counted: ReceivedRoute = "responses"  # whose requests are the attempts
    own_login: bool = False  # straight, the client has account one's ChatGPT login
    outage: float = 0.0  # seconds in which nobody listens at upstream's port
    commands: tuple[tuple[str, ...], ...] = ()  # of the gateway, before the client
    told: str = ""  # a state of the gateway, with no straight run: what the words hold
    earlier: str = ""  # the gateway's seconds before failures were judged by evidence


def always(answer: ScriptedResponse, route: ReceivedRoute = "responses") -> Play:
    """Every turn is answered so, whichever account asks."""
    return lambda upstream: upstream.answer(answer, route=route, times=None)


def once(answer: ScriptedResponse, route: ReceivedRoute = "responses") -> Play:
    return lambda upstream: upstream.answer(answer, route=route)


def error(status: int, code: str, message: str, **more: object) -> ScriptedResponse:
    headers = more.pop("headers", None)
    assert headers is None or isinstance(headers, dict)
    return faults.error_response(status, code, message, headers, **more)


def shorter(retries: int = 1, **more: int) -> dict[str, int]:
    """The client's own retries, where all of them take more than a minute."""
    names = ("request_max_retries", "stream_max_retries")
    return {**dict.fromkeys(names, retries), **more}
