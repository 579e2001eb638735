"""What holds for any bytes: one function per part, which raises when it does not."""

import asyncio
import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress

import orjson
import zstandard
from marshmallow import ValidationError

from gateway.admission.body_budget import BodyBudget, Sender
from gateway.admission.body_decoding import decoder_for
from gateway.admission.request_body import BodyReader
from gateway.errors import GatewayError
from gateway.protocol import websocket_frames
from gateway.protocol.headers import request_headers, response_headers, retry_after
from gateway.protocol.limit_windows import windows
from gateway.protocol.sse import Event, EventScanner, events, is_notable, parts
from gateway.protocol.websocket_frames import FrameSplitter, ProtocolError
from schemas.body.json import decode
from schemas.normalize import normalize_responses_request_payload
from schemas.policy.key_policy import KeyPolicy
from schemas.policy.tools import DefaultRule
from schemas.request import first_bad_field, load_chat_request, load_request
from schemas.surfaces import Surface
from tests.tools.fuzz.answers import answers, failures
from tests.tools.fuzz.source import Source

Property = Callable[[bytes], None]

NOW = 1_700_000_000.0
SURFACES = (Surface.CODEX, Surface.CODEX_SOCKET, Surface.V1, Surface.V1_SOCKET)
POLICIES = (
    KeyPolicy(),
    KeyPolicy(restricted=True),
    KeyPolicy(model="gpt-5.4", effort="low", tier="flex"),
    KeyPolicy(tools=(DefaultRule("strip", "f*", accounts="chatgpt"),)),
)
START = '"model":"gpt-5.5","instructions":"Be brief."'


def requests(data: bytes) -> None:
    """A request is loaded or refused; what is loaded can be sent, and stays so."""
    source = Source(data)
    surface = source.pick(SURFACES)
    compact = not surface.is_socket and source.byte() % 4 == 3
    policy = source.pick(POLICIES)
    body = _body(source, START)
    try:
        loaded = load_request(body, surface, compact=compact, policy=policy)
    except ValidationError as error:
        return _check_refusal(error)
    assert loaded.model
    for chatgpt_account in (True, False):
        sent, _ = loaded.body_for(chatgpt_account=chatgpt_account)
        # A ChatGPT account compacts by an ordinary turn.
        is_compact = compact and not chatgpt_account
        again = load_request(sent, surface, compact=is_compact, policy=policy)
        assert again.changes == ()
        assert again.body_for(chatgpt_account=chatgpt_account)[0] == sent
    fewer = loaded.without_items(frozenset({0}))
    assert orjson.loads(fewer.body_for(chatgpt_account=True)[0])


def chat(data: bytes) -> None:
    """A chat completion's request becomes a request that needs no more changes."""
    source = Source(data)
    policy = source.pick(POLICIES)
    body = _body(source, '"model":"gpt-5.5","messages":[{"role":"user","content":"a"}]')
    try:
        loaded, _ = load_chat_request(body, policy=policy)
    except ValidationError as error:
        return _check_refusal(error)
    for chatgpt_account in (True, False):
        sent, _ = loaded.body_for(chatgpt_account=chatgpt_account)
        assert load_request(sent, Surface.CHAT).changes == ()


def normalize(data: bytes) -> None:
    """Normalising never breaks, leaves its argument alone, and does its work once."""
    source = Source(data)
    surface = source.pick(list(Surface))
    compact = bool(source.byte() % 2)
    try:
        payload, untouched = (decode(body) for body in [_body(source, START)] * 2)
    except ValidationError:
        return
    if not isinstance(payload, dict):
        return
    result, changes = normalize_responses_request_payload(
        payload, surface, compact=compact
    )
    again, more = normalize_responses_request_payload(result, surface, compact=compact)
    assert more == []
    with suppress(RecursionError):  # Python compares no deeper than it calls
        assert payload == untouched
        assert bool(changes) is (result != payload)
        assert again == result


def scanner(data: bytes) -> None:
    """Chunks do not matter, nothing is lost, and no notable event is missed."""
    source = Source(data)
    pieces = (b"", b"\n", b"\r", b"\r\n", b"\n\n", b"data: ", b"event: x", b": c")
    stream = source.rest() if source.byte() % 2 else b""
    while source.has_more():
        stream += source.pick((*pieces, source.take(3), source.object(2).encode()))
    whole = EventScanner()
    found, rest = whole.feed(stream), whole.rest
    for chunks in (Source(data).chunks(stream), [bytes([byte]) for byte in stream]):
        cut = EventScanner()
        assert [event for chunk in chunks for event in cut.feed(chunk)] == found
        assert cut.rest == rest
    assert b"".join(event.raw for event in found) + rest == stream
    block = b"".join(event.raw for event in found)
    told = list(parts(block))
    assert b"".join(p.raw if isinstance(p, Event) else p for p in told) == block
    taken = {part.raw for part in told if isinstance(part, Event)}
    assert all(one.raw in taken for one in events(block) if is_notable(one.raw))


def bodies(data: bytes) -> None:
    """A body comes out in the clear, within its bound, or with a typed error."""
    source = Source(data)
    encoding = source.pick(
        (
            "",
            "identity",
            "zstd",
            "gzip",
            "deflate",
            " GZIP ",
            "br",
            "gzip, zstd",
            "\xff",
        )
    )
    limit = 1 + source.byte() * 8
    compress = source.pick((bytes, zstandard.compress, gzip.compress, zlib.compress))
    repeated = 1 + source.byte() % 64
    raw = source.rest() * repeated
    if compress is bytes:
        raw = source.pick((b"", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08")) + raw
    for known in ("zstd", "gzip"):
        with suppress(GatewayError):
            decoder = decoder_for(known, compress(raw))
            while decoder is not None and (step := decoder.plan()) is not None:
                assert len(decoder.decode()) <= step.most
    budget = BodyBudget(8192)
    reader = BodyReader(budget, Sender("key 1", has_key=True), limit)
    with suppress(GatewayError):
        for chunk in Source(data).chunks(compress(raw)):
            reader.feed(chunk)
        assert len(asyncio.run(reader.decoded(encoding))) <= limit
    assert budget.used <= 8192
    reader.release()
    assert budget.used == 0


HEADERS = (
    *("Connection", "Transfer-Encoding", "Content-Length", "Cookie", "Authorization"),
    *("User-Agent", "X-Codex-A", "x-codex-\n", "X-OpenAI-B", "Session_Id", "Accept"),
    *("OpenAI-Model", "Retry-After", "Retry-After-Ms", "X-Codex-Turn-State"),
    *("X-Codex-Primary-Used-Percent", "X-Codex-Primary-Reset-At", "Set-Cookie"),
    *("X-Codex-Primary-Window-Minutes", "Keep-Alive", "Proxy-Authorization", "TE"),
)
OF_CONNECTION = {"connection", "transfer-encoding", "content-length", "keep-alive"}
SECRETS = {"cookie", "authorization", "proxy-authorization", "set-cookie", "te"}


def headers(data: bytes) -> None:
    """What passes can be written, and is neither the connection's nor a secret."""
    source = Source(data)
    given = []
    while source.has_more():
        name = source.pick(HEADERS) if source.byte() % 4 else source.text()
        value = source.pick(HEADERS) if source.byte() % 3 == 0 else source.text()
        given.append((name, value))
    to_client = response_headers(given, requested_model="gpt-5.5", keys_in_use=False)
    to_upstream = request_headers(given)
    for name, value in (*to_client.items(), *to_upstream.items()):
        assert name.isascii()
        assert name == name.lower()
        assert not set(name + value) & set("\r\n\0")
        value.encode("latin-1")
        assert name not in OF_CONNECTION | SECRETS
    named = {
        part.strip().lower()
        for name, value in given
        if name.lower() == "connection"
        for part in value.split(",")
    }
    assert not named & to_upstream.keys()
    for window in windows(dict(given), NOW):
        assert window.used_percent >= 0
    wait = retry_after(dict(given), NOW)
    assert wait is None or 0 <= wait < float("inf")


def websocket(data: bytes) -> None:
    """Reads do not matter; there is no error but the one, and what was before it."""
    source = Source(data)
    stream = source.rest() if source.byte() % 2 else b""
    while source.has_more():
        opcode = source.byte()
        one = bytearray(
            websocket_frames.frame(source.take(source.byte() % 200), opcode & 0x0F)
        )
        one[0] = opcode
        stream += bytes(one)

    def split(
        chunks: list[bytes],
    ) -> tuple[bytes, list[websocket_frames.Control], bool]:
        splitter, run = FrameSplitter(150), b""
        try:
            for chunk in chunks:
                run += splitter.feed(chunk)
        except ProtocolError:
            return run, splitter.controls, True
        return run, splitter.controls, splitter.error is not None

    found = split([stream])
    assert split(Source(data).chunks(stream)) == found
    assert split([bytes([byte]) for byte in stream]) == found
    for opcode, payload in websocket_frames.payloads(found[0]):
        assert opcode in (websocket_frames.TEXT, websocket_frames.BINARY)
        assert len(payload) <= 150


def _check_refusal(error: ValidationError) -> None:
    """Its field can be told."""
    assert isinstance(first_bad_field(error), str | None)


def _body(source: Source, start: str) -> bytes:
    match source.byte() % 4:
        case 0:
            return source.rest()
        case 1:
            return source.object().encode("utf-8", "surrogatepass")
        case _:
            fields = source.with_fields(f'{start},"input":{source.json()}')
            return fields.encode("utf-8", "surrogatepass")


PROPERTIES: dict[str, Property] = {
    one.__name__: one
    for one in (
        *(requests, chat, normalize, scanner, bodies, headers, websocket),
        *(answers, failures),
    )
}
