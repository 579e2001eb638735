"""A socket of somebody with a key, and frames that are none."""

import json
import struct

import pytest

from tests.hostile import wire
from tests.hostile.bytes_of import CODEX, FOLLOW_UP, HIDDEN, UPGRADE, send, turn

pytestmark = pytest.mark.hostile

CREATE = json.dumps({"type": "response.create", **json.loads(turn())}).encode()
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FIN, MASKED = 0x80, 0x80


def frame(payload, opcode=TEXT, *, first=FIN, mask=MASKED, size=None):
    """One frame; `first` are its flags, `size` what it claims to hold."""
    size = len(payload) if size is None else size
    if size < 126:
        head = bytes([first | opcode, mask | size])
    elif size < 1 << 16:
        head = bytes([first | opcode, mask | 126]) + struct.pack("!H", size)
    else:
        head = bytes([first | opcode, mask | 127]) + struct.pack("!Q", size)
    return head + (bytes(4) if mask else b"") + payload  # the mask that changes nothing


FRAMES = {
    "compressed, which nobody agreed on": frame(CREATE, first=FIN | 0x40),
    "the second reserved bit": frame(CREATE, first=FIN | 0x20),
    "the third reserved bit": frame(CREATE, first=FIN | 0x10),
    "a reserved opcode": frame(CREATE, 0x3),
    "a reserved control opcode": frame(b"", 0xB),
    "a ping in two": frame(b"", PING, first=0),
    "a ping of 126 bytes": frame(bytes(126), PING),
    "a close in two": frame(b"", CLOSE, first=0),
    "the end of nothing": frame(CREATE, 0x0),
    "a text inside a text": frame(b"{", first=0) + frame(CREATE),
    "a size of 2**63": frame(b"", size=1 << 63),
    "a size beyond the bound": frame(b"", size=1 << 40),
    "no UTF-8": frame(b'{"type": "\xc0\xaf"}'),
    "half a surrogate": frame(b'{"type": "\xed\xa0\x80"}'),
    "a request over HTTP": HIDDEN,
}


@pytest.mark.parametrize("behind_nginx", [True, False], ids=["nginx", "direct"])
@pytest.mark.parametrize("name", FRAMES)
def test_a_broken_frame_ends_the_socket(loop, outside, name, behind_nginx):
    site = outside.sites["keyed"]
    outside.received()
    logged = len(site.gateway.log())
    handshake = send(f"GET {CODEX} HTTP/1.1", *UPGRADE, f"X-Api-Key: {site.key}")

    async def break_it():
        port = site.port(behind_nginx=behind_nginx)
        sent = handshake + FRAMES[name] + frame(CREATE)
        received = await wire.exchange(port, sent)
        assert received.startswith(b"HTTP/1.1 101 ")
        assert received.count(b"HTTP/1.1") == 1
        assert b"response." not in received
        assert outside.received() == []
        assert "Traceback" not in site.gateway.log()[logged:]
        await outside.serves_its_own()

    loop.run_until_complete(break_it())


HANDSHAKES = {
    "another version": (*UPGRADE[:2], "Sec-WebSocket-Version: 12", UPGRADE[3]),
    "no version": (*UPGRADE[:2], UPGRADE[3]),
    "no key of its own": UPGRADE[:3],
    "another upgrade": (UPGRADE[0], "Upgrade: websockets", *UPGRADE[2:]),
}
OFFERS = {
    "subprotocols": "Sec-WebSocket-Protocol: evil, x-evil",
    "extensions": "Sec-WebSocket-Extensions: evil; x=1, permessage-deflate; evil=2",
    "a turn state with a tab": "X-Codex-Turn-State: a\tb",
    "a turn state above 127": "X-Codex-Turn-State: \xff\xfe",
}


@pytest.mark.parametrize("name", OFFERS)
@pytest.mark.parametrize("behind_nginx", [True, False], ids=["nginx", "direct"])
def test_what_a_handshake_offers_is_not_taken(loop, outside, name, behind_nginx):
    site = outside.sites["keyed"]
    lines = (*UPGRADE, f"X-Api-Key: {site.key}", OFFERS[name])
    request = send(f"GET {CODEX} HTTP/1.1", *lines)
    received = loop.run_until_complete(
        wire.exchange(
            site.port(behind_nginx=behind_nginx), request + frame(b"\x03\xe8", CLOSE)
        )
    )
    (answer, *_) = wire.answers(received)
    assert answer.status == 101
    assert b"evil" not in answer.head


@pytest.mark.parametrize("name", HANDSHAKES)
@pytest.mark.parametrize("behind_nginx", [True, False], ids=["nginx", "direct"])
def test_after_a_failed_handshake_there_is_no_tunnel(loop, outside, name, behind_nginx):
    site = outside.sites["keyed"]
    outside.received()
    lines = (*HANDSHAKES[name], f"X-Api-Key: {site.key}")
    request = send(f"GET {CODEX} HTTP/1.1", *lines)
    answers = loop.run_until_complete(
        wire.talk(site.port(behind_nginx=behind_nginx), request + HIDDEN + FOLLOW_UP)
    )
    first, *others = [answer.status for answer in answers]
    assert first in (400, 405, 426)
    assert others == [401, 200]  # the hidden one is a request like any other
    assert outside.received() == []
