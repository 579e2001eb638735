"""What arrived at the scripted upstream: the record that tests look into."""

import asyncio
import json
import zlib
from dataclasses import dataclass, field
from typing import Any, Literal

import zstandard

from gateway.demo.answers import JsonObject

# prewarm is a `response.create` with `generate: false`, search is alpha/search,
# refresh and login are the two grants of oauth/token, usercode and device_token the
# device flow, whoami tells whose an access token is, handshake is the upgrade of a
# socket, side everything else.
ReceivedRoute = Literal[
    "responses", "prewarm", "compact", "models", "usage", "images", "search",
    "transcribe", "handshake", "refresh", "login", "usercode", "device_token", "whoami",
    "side",
]  # fmt: skip


@dataclass(slots=True, eq=False)
class Received:
    """One request, or one frame of a socket."""

    route: ReceivedRoute
    method: str
    path: str
    query: str
    headers: dict[str, str]  # lower-case names
    raw_headers: tuple[tuple[str, str], ...]  # as sent
    body: bytes  # as sent: still compressed, or the frame's text
    transport: Literal["http", "websocket"]
    account: str | None  # demo account's name, else account id, else API key
    connection: int  # the peer's port: equal for requests on one connection
    history: list[JsonObject] = field(default_factory=list)  # items up to this request
    closed: asyncio.Event = field(default_factory=asyncio.Event)  # the peer left
    done: asyncio.Event = field(default_factory=asyncio.Event)  # answer ended, anyhow
    cut: bool = False  # the answer itself ended the connection
    sent_bytes: int = 0  # of the answer, written and drained so far

    @property
    def payload(self) -> JsonObject:
        """The JSON object of the body; {} when it is none."""
        try:
            value = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def text(self) -> str:
        """The decoded body; undecodable bytes are replaced."""
        return decoded(self.body, self.headers.get("content-encoding", "")).decode(
            "utf-8", "replace"
        )

    def __repr__(self) -> str:
        return f"<{self.method} {self.path} {self.route} {self.transport}>"


def decoded(body: bytes, encoding: str) -> bytes:
    """The body without its content-encoding; unreadable bodies stay as they are."""
    try:
        if encoding == "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(body)
        if encoding in {"gzip", "deflate"}:
            return zlib.decompress(body, zlib.MAX_WBITS | 32)
    except (zlib.error, zstandard.ZstdError):
        pass
    return body


def items_of(payload: JsonObject) -> list[JsonObject]:
    """The input of a request as a list of items."""
    value: Any = payload.get("input")
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    if isinstance(value, list):
        return [item for item in value if isinstance(item, dict)]
    return []


_ROUTES: dict[str, ReceivedRoute] = {
    "/responses": "responses",
    "/responses/compact": "compact",
    "/models": "models",
    "/wham/usage": "usage",
    "/images/generations": "images",
    "/images/edits": "images",
    "/alpha/search": "search",
    "/transcribe": "transcribe",
    "/audio/transcriptions": "transcribe",
    "/deviceauth/usercode": "usercode",
    "/deviceauth/token": "device_token",
    "/user-auth-credential/whoami": "whoami",
}


def route_of(path: str, body: bytes) -> ReceivedRoute:
    """Which route a request is for; the grant decides for the token endpoint."""
    if path == "/oauth/token":
        # JSON for a refresh, a form for a login; neither escapes these letters.
        return "refresh" if b"refresh_token" in body else "login"
    for end, route in _ROUTES.items():
        if path.endswith(end):
            return route
    return "side"
