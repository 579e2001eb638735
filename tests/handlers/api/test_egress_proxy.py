"""All connections out go through the owner's proxy, and through no other."""

import asyncio
import ssl
from urllib.parse import urlsplit

import pytest

from gateway.admin.probe import probe
from gateway.secret import Secret
from gateway.upstream.http import open_session
from gateway.upstream.logins.device_login import DeviceLogin
from tests.certificates import certificate
from tests.egress_proxy import PASSWORD, USER, EgressProxy
from tests.serving import CODEX, MODEL, V1, turn_on

pytestmark = pytest.mark.accounts("one")


@pytest.fixture
def proxy(io_loop):
    proxy = EgressProxy()
    io_loop.run_sync(proxy.start)
    yield proxy
    io_loop.run_sync(proxy.stop)


async def go_out_by(serving, url, host="upstream.test", **changes):
    """A name that only the proxy knows: what goes past it does not arrive."""
    base = f"http://{host}:{urlsplit(serving.upstream.url).port}"
    await serving.restart(
        egress_proxy=Secret(url),
        upstream_base_url=f"{base}/backend-api",
        auth_base_url=base,
        **changes,
    )


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("scheme", "in_pieces"), [("http", False), ("http", True), ("socks5", True)]
)
async def test_every_connection_goes_through_it(
    serving, upstream, proxy, scheme, in_pieces
):
    proxy.in_pieces = in_pieces
    await go_out_by(serving, proxy.url(scheme))
    gateway, account = serving.gateway, serving.account("one")
    assert (await serving.ask(CODEX)).status == 200
    async with serving.socket() as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    await gateway.usage.poll(account)
    await gateway.catalogues.refresh(account)
    assert account.catalogue is not None
    assert (await probe(gateway, account, MODEL)).ok
    upstream.auth.expire("one")
    assert (await serving.ask(V1)).status == 200
    async with open_session(serving.settings) as session:
        await DeviceLogin(session, serving.settings.auth_base_url).start()
    for route in ("handshake", "usage", "models", "refresh", "usercode"):
        assert upstream.of(route), route
    port = urlsplit(upstream.url).port
    assert set(proxy.targets) == {("upstream.test", port)}
    connections = {received.connection for received in upstream.requests}
    assert len(proxy.targets) == len(connections)
    assert proxy.refused == 0


@pytest.mark.gen_test
async def test_no_proxy_of_the_environment_is_taken(
    serving, upstream, proxy, monkeypatch
):
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        for spelt in (name, name.upper()):
            monkeypatch.setenv(spelt, proxy.url())
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    await serving.restart()
    assert (await serving.ask(CODEX)).status == 200
    async with serving.socket() as ws:
        await turn_on(ws)
    upstream.auth.expire("one")
    assert (await serving.ask(CODEX)).status == 200
    assert len(upstream.of("refresh")) == 1
    assert proxy.targets == []


REFUSALS = [
    ("http", b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "refuses (status 502)"),
    ("http", b"SSH-2.0-x\r\n\r\n", "does not speak HTTP"),
    ("http", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, "broke off"),
    ("http", b"", "gave no connection in time"),
    ("socks5", b"\5\4\0\1" + bytes(6), "the host cannot be reached"),
    ("socks5", b"\5\77\0\1" + bytes(6), "reply 63"),
]


async def told_of(serving):
    """The errors of both transports, and of a call of the gateway's own."""
    answered = await serving.ask(CODEX)
    async with serving.socket() as ws:
        (frame,) = await turn_on(ws)
    rows = await serving.rows(2)
    assert [row["error_origin"] for row in rows] == ["network", "network"]
    assert (answered.status, frame["status"]) == (502, 502)
    for error in (answered.error, frame["error"]):
        assert (error["code"], error["origin"]) == ("egress_proxy_failed", "network")
        assert error["message"].startswith("The egress proxy ")
        assert not {USER, PASSWORD} & set(error["message"].split())
    return {answered.error["message"], frame["error"]["message"]}


@pytest.mark.failures
@pytest.mark.gen_test
@pytest.mark.parametrize(("scheme", "reply", "words"), REFUSALS)
async def test_a_proxy_that_fails_says_so(serving, proxy, scheme, reply, words):
    proxy.reply = reply
    await go_out_by(serving, proxy.url(scheme), connect_timeout=0.3)
    (message,) = await told_of(serving)
    assert words in message


@pytest.mark.failures
@pytest.mark.gen_test
@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_wrong_credentials_say_so(serving, proxy, scheme):
    await go_out_by(serving, proxy.url(scheme, password="wrong"))
    assert await told_of(serving) == {"The egress proxy refuses our credentials"}
    assert proxy.refused > 0


@pytest.mark.failures
@pytest.mark.gen_test
@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_may_want_no_credentials(serving, proxy, scheme):
    proxy.is_open = True
    await go_out_by(serving, f"{scheme}://127.0.0.1:{proxy.port}")
    assert (await serving.ask(CODEX)).status == 200
    assert proxy.targets


@pytest.mark.failures
@pytest.mark.gen_test
async def test_a_proxy_that_is_not_there_says_so(serving, proxy):
    proxy.server.close()
    await go_out_by(serving, proxy.url())
    assert await told_of(serving) == {"The egress proxy cannot be reached"}


@pytest.mark.failures
@pytest.mark.gen_test
async def test_tls_reaches_through_the_proxy_and_to_it(
    serving, upstream, proxy, tmp_path, monkeypatch
):
    file = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    # A second one stands for upstream: TLS there, plain to the scripted one.
    inner = EgressProxy()
    upstream_port = urlsplit(upstream.url).port

    async def unwrap(reader, writer):
        await inner._join(reader, writer, "127.0.0.1", upstream_port)

    secured = await asyncio.start_server(unwrap, "127.0.0.1", 0, ssl=context)
    port = secured.sockets[0].getsockname()[1]
    outer = await EgressProxy().start(ssl=context)
    base = f"https://127.0.0.1:{port}/backend-api"

    async def ask(url):
        await serving.restart(egress_proxy=Secret(url), upstream_base_url=base)
        return await serving.ask(CODEX)

    told = (await ask(proxy.url())).error
    assert told["code"] == "certificate_invalid"
    told = (await ask(outer.url("https"))).error
    assert told["message"] == "The TLS handshake with the egress proxy failed"
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    for url in (proxy.url(), proxy.url("socks5"), outer.url("https")):
        assert (await ask(url)).status == 200
    assert ("127.0.0.1", port) in outer.targets
    secured.close()
    await outer.stop()
