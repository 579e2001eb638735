"""Names that do not resolve, certificates that do not fit: whose fault it is."""

import asyncio
import ssl
import time

import pytest

from tests.certificates import certificate
from tests.serving import CODEX, V1, payload, turn_on

pytestmark = pytest.mark.accounts("one")


async def listening(handle, **options):
    server = await asyncio.start_server(handle, "127.0.0.1", 0, **options)
    return server, server.sockets[0].getsockname()[1]


async def refuse(reader, writer):
    writer.close()


async def keep(reader, writer):
    await reader.read()
    writer.close()


async def told_of(serving, base_url, **changes):
    """The errors of both transports for an upstream at this address."""
    await serving.restart(upstream_base_url=base_url, **changes)
    answered = await serving.ask(V1, payload())
    async with serving.socket(CODEX) as ws:
        (frame,) = await turn_on(ws)
    assert answered.status == 502
    assert frame["status"] == 502
    rows = await serving.rows(2)
    assert {row["error_origin"] for row in rows} == {"network"}
    return answered.error, frame["error"]


@pytest.mark.gen_test(timeout=60)
async def test_a_name_that_does_not_exist(serving, at_rest):
    # Longer than names can be: no resolver is asked, and none can be slow.
    name = ".".join(["upstream" * 7] * 5)
    for told in await told_of(serving, f"http://{name}.invalid/backend-api"):
        assert told["code"] == "dns_failure"
        assert told["origin"] == "network"
        assert told["phase"] == "connect"
        assert "invalid" not in told["message"]
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_a_certificate_nobody_vouches_for(serving, at_rest, tmp_path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate(tmp_path))
    server, port = await listening(refuse, ssl=context)
    for told in await told_of(serving, f"https://127.0.0.1:{port}/backend-api"):
        assert told["code"] == "certificate_invalid"
        assert told["origin"] == "network"
        assert told["phase"] == "connect"
        assert "certificate" in told["message"]
    server.close()
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_no_tls_where_it_is_expected(serving, at_rest):
    async def speak_plainly(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server, port = await listening(speak_plainly)
    for told in await told_of(serving, f"https://127.0.0.1:{port}/backend-api"):
        assert told["code"] == "tls_failure"
        assert told["phase"] == "connect"
    server.close()
    await at_rest()


@pytest.mark.gen_test(timeout=30)
async def test_a_tls_handshake_that_does_not_move(serving, at_rest):
    server, port = await listening(keep)
    begun = time.monotonic()
    url = f"https://127.0.0.1:{port}/backend-api"
    for told in await told_of(serving, url, connect_timeout=0.3):
        assert told["origin"] == "network"
        assert told["code"] in (
            "upstream_connect_timeout",
            "upstream_handshake_timeout",
        )
    assert time.monotonic() - begun < 10
    server.close()
    await at_rest()
