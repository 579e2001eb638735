"""ClientRequest: one request as a handler gives it to the core."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from gateway.keys.input_estimate import NOTHING, InputSize, payload_size
from gateway.keys.key import Key
from gateway.upstream.endpoints import Endpoint

# A larger payload is loaded on a thread: parsing it may hold the interpreter, but
# looking through what was parsed (a hundred thousand values) leaves others a chance.
LARGEST_INLINE_PARSE = 256 * 1024


Transport = Literal["http", "websocket"]


class Refusal(Protocol):
    """Why a kind of account cannot take a payload, and the field it is about."""

    @property
    def reason(self) -> str: ...
    @property
    def param(self) -> str | None: ...


class Loaded(Protocol):
    """A validated payload, as the surface's loader gives it."""

    @property
    def payload(self) -> dict[str, Any] | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def requested_model(self) -> str | None: ...
    @property
    def answers_as(self) -> str | None: ...
    @property
    def stream(self) -> bool: ...
    @property
    def changes(self) -> tuple[str, ...]: ...
    @property
    def new_shapes(self) -> tuple[str, ...]: ...
    @property
    def previous_response_id(self) -> str | None: ...
    @property
    def prompt_cache_key(self) -> str | None: ...
    @property
    def service_tier(self) -> str | None: ...
    @property
    def reasoning_effort(self) -> str | None: ...
    @property
    def generate(self) -> bool: ...
    def body_for(
        self, *, chatgpt_account: bool, takes_chat_parameters: bool = False
    ) -> tuple[bytes, tuple[str, ...]]: ...
    def refusal_by(self, *, chatgpt_account: bool) -> Refusal | None: ...
    def without_items(self, indexes: frozenset[int]) -> "Loaded": ...


class ClientFacts(NamedTuple):
    """Who asks; `headers` line by line, names in lower case."""

    request_id: str
    address: str
    headers: Sequence[tuple[str, str]]
    user_agent: str = ""
    client_request_id: str | None = None
    sees_windows: bool = True  # the accounts' limits are its own business
    prefers_key: bool = False  # the ChatGPT backend may refuse it
    network: str = ""  # of the address: one IPv6 client has many
    device_id: int | None = None  # that signed in to the key's seat
    connection: int = 0  # its number in this process


@dataclass(slots=True, eq=False)
class ClientRequest:
    """One request on its way to `Proxy`.

    `load` validates the payload and raises InvalidPayload; it runs inside the
    exchange, so that a refused payload leaves a row, too.
    """

    client: ClientFacts
    surface: Literal["codex", "v1", "chat"]
    transport: Transport
    route: Endpoint
    key: Key | None
    size: int  # bytes of the body as received
    load: Callable[[], Loaded] | None
    # Estimated once the payload is loaded; by `load` where that gives none to look at.
    input_size: InputSize = NOTHING

    @property
    def is_codex(self) -> bool:
        return self.surface == "codex"

    async def take_payload(self) -> Loaded:
        """Load once, and let go: a body must not live as long as its stream."""
        load, self.load = self.load, None
        assert load is not None
        if self.size <= LARGEST_INLINE_PARSE:
            return self._measured(load)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._measured, load)

    def _measured(self, load: Callable[[], Loaded]) -> Loaded:
        loaded = load()
        if loaded.payload is not None:
            self.input_size = payload_size(loaded.payload, self.size)
        return loaded
