"""The shipped nginx configuration between a client and a gateway process."""

import asyncio
import io
import json

import aiohttp
import pytest

from gateway.demo.events import ScriptedTurn
from tests.e2e.gateway_process import free_port
from tests.e2e.nginx import Nginx

pytestmark = pytest.mark.slow

CODEX = "/backend-api/codex/responses"
JSON = {"content-type": "application/json"}


@pytest.fixture
def start_nginx(io_loop, nginx_binary, tmp_path):
    started = []

    async def start(port, **more):
        nginx = Nginx(nginx_binary, tmp_path / f"nginx{len(started)}", port, **more)
        started.append(nginx)
        await nginx.start()
        return nginx

    yield start
    for nginx in started:
        io_loop.run_sync(nginx.stop)


class Proxied:
    """A client with a key, on the far side of nginx."""

    def __init__(self, gateway, url, key):
        self.gateway = gateway
        self.url = url
        self.headers = {"authorization": f"Bearer {key}"}
        # An address other than nginx's own tells whose the gateway takes it for.
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        self.session = aiohttp.ClientSession(connector=connector)

    def post(self, payload, headers=None, **more):
        return self.session.post(
            self.url + CODEX,
            data=io.BytesIO(json.dumps(payload).encode()),
            headers={**JSON, **self.headers, **(headers or {})},
            **more,
        )


@pytest.fixture
def proxied(io_loop, start_gateway, start_nginx):
    """A gateway that trusts the nginx in front of it, and a client with a key."""
    keys = []

    async def make_key(gateway):
        keys.append(await gateway.create_key())

    async def start():
        gateway = await start_gateway(
            before_start=make_key,
            TRUSTED_PROXIES="127.0.0.1",
            KEEPALIVE_INTERVAL="600",  # so that silence is silence
        )
        nginx = await start_nginx(gateway.port)
        return Proxied(gateway, nginx.url, keys[0])

    made = io_loop.run_sync(start, timeout=60)
    yield made
    io_loop.run_sync(made.session.close)


def body(prompt="hi", **more):
    return {
        "model": "gpt-5.5",
        "instructions": "",
        "input": [{"role": "user", "content": prompt}],
        "stream": True,
        **more,
    }


@pytest.mark.gen_test(timeout=30)
async def test_events_arrive_one_by_one(proxied, upstream):
    events = ScriptedTurn().text("one two three").completed().events
    gates = [asyncio.Event() for _ in events]
    steps = [step for pair in zip(events, gates, strict=True) for step in pair]
    upstream.answer(*steps)
    # The first three are held back by the gateway until output begins.
    held = 2
    for gate in gates[:held]:
        gate.set()
    async with proxied.post(body()) as response:
        assert response.status == 200
        for number, event in enumerate(events):
            line = await asyncio.wait_for(response.content.readuntil(b"\n\n"), 5)
            assert json.loads(line.split(b"data: ")[1]) == event
            gates[number].set()  # only now may upstream write the next one
        assert await response.content.read() == b""


@pytest.mark.gen_test(timeout=30)
async def test_sockets_are_upgraded(proxied, upstream):
    url = proxied.url + CODEX
    async with proxied.session.ws_connect(url, headers=proxied.headers) as ws:
        for prompt in ("demo:say(first)", "demo:say(second)"):
            frame = {"type": "response.create", **body(prompt)}
            await ws.send_json(frame)
            kinds = []
            while not kinds or kinds[-1] != "response.completed":
                kinds.append((await ws.receive_json(timeout=30))["type"])
    assert [received.transport for received in upstream.of()] == ["websocket"] * 2
    assert len({received.connection for received in upstream.of()}) == 1


@pytest.mark.gen_test(timeout=30)
async def test_a_body_of_8_mebibytes_passes(proxied, upstream):
    text = "x" * (8 << 20)
    async with proxied.post(body(text)) as response:
        assert response.status == 200
        assert b"response.completed" in await response.read()
    assert upstream.of()[0].payload["input"][0]["content"] == text


@pytest.mark.parametrize(
    ("silence", "limit"),
    [
        pytest.param(3.0, 1, id="short"),
        pytest.param(70.0, 60, id="nginx's default", marks=pytest.mark.nightly),
    ],
)
@pytest.mark.gen_test(timeout=120)
async def test_more_silence_than_nginx_takes_by_itself_is_survived(
    proxied, start_nginx, upstream, silence, limit
):
    nginx = await start_nginx(proxied.gateway.port, silence=limit)
    proxied.url = nginx.url
    events = ScriptedTurn().text("finally").completed().events
    upstream.answer(*events[:4], silence, *events[4:])
    upstream.answer(*events[:4], silence, *events[4:])
    frame = {"type": "response.create", **body()}

    async def over_http():
        async with proxied.post(body()) as response:
            return await response.read()

    async def over_a_socket():
        url = proxied.url + CODEX
        async with proxied.session.ws_connect(url, headers=proxied.headers) as ws:
            await ws.send_json(frame)
            kinds = []
            while not kinds or kinds[-1] != "response.completed":
                kinds.append((await ws.receive_json(timeout=100))["type"])
            return kinds

    streamed, kinds = await asyncio.gather(over_http(), over_a_socket())
    assert b"response.completed" in streamed
    assert kinds[-1] == "response.completed"


@pytest.mark.gen_test(timeout=30)
async def test_underscore_headers_and_large_ones_are_kept(proxied, upstream):
    large = json.dumps({"window": "w" * 20_000})
    headers = {
        "session_id": "with-underscore",
        "session-id": "with-hyphen",
        "x-codex-turn-metadata": large,
    }
    async with proxied.post(body(), headers) as response:
        assert response.status == 200
        await response.read()
    received = upstream.of()[0].headers
    assert {name: received[name] for name in headers} == headers


@pytest.mark.gen_test(timeout=30)
async def test_a_proxied_client_is_not_local(proxied):
    async with proxied.session.post(proxied.url + CODEX, json=body()) as response:
        assert response.status == 401
        assert (await response.json())["error"]["code"] == "invalid_api_key"
    claimed = {"host": "localhost"}
    async with proxied.session.get(proxied.url + "/", headers=claimed) as response:
        assert await response.text() == "Codex Gateway\n"


@pytest.mark.gen_test(timeout=30)
async def test_the_log_has_the_address_that_nginx_saw(proxied):
    claimed = {"x-forwarded-for": "6.6.6.6", "x-real-ip": "6.6.6.6"}
    async with proxied.post(body(), claimed) as response:
        await response.read()
    await proxied.gateway.stop()  # drains the log's writer
    (row,) = (await proxied.gateway.run("logs", "--json")).splitlines()
    assert json.loads(row)["client_address"] == "127.0.0.2"


@pytest.mark.gen_test(timeout=30)
async def test_a_poll_while_no_gateway_listens_is_to_be_repeated(start_nginx):
    """For Codex one 5xx is the end of its sign-in."""
    nginx = await start_nginx(free_port())
    form = {"grant_type": "refresh_token", "client_id": "codex"}
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.post(f"{nginx.url}/oauth/token", data=form) as response:
                assert response.status == 400
                assert response.content_type == "application/json"
                assert await response.json() == {"error": "authorization_pending"}
        async with session.post(f"{nginx.url}/oauth/device", data=form) as response:
            assert response.status == 502


@pytest.mark.gen_test(timeout=30)
async def test_endpoints_of_sign_ins_see_what_others_see(proxied):
    """Behind the file as it is shipped, which has no TLS yet, they are closed."""
    for path in ("token", "device", "revoke"):
        url = f"{proxied.url}/oauth/{path}"
        claimed = {"x-forwarded-proto": "https"}
        form = {"client_id": "codex"}
        async with proxied.session.post(url, data=form, headers=claimed) as response:
            assert response.status == 403
            told = (await response.json())["error_description"]
            assert "https" in told


CLAIMS = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "elsewhere.example",
    "X-Real-IP": "6.6.6.6",
    "Forwarded": "for=6.6.6.6",
    "X-SSO-User": "ada",
    "Remote-User": "ada",
    "X-Gateway-SSO-Secret": "guessed",
    "Upgrade": "h2c",
    "Connection": "keep-alive, x-codex-turn-metadata",
    "authorization": "Bearer sk-fake",
}


@pytest.mark.gen_test(timeout=30)
async def test_what_a_client_claims_about_itself_is_overwritten(start_nginx, upstream):
    # The scripted upstream stands where the gateway would, to show what reaches it.
    upstream.lenient = True
    nginx = await start_nginx(int(upstream.url.rpartition(":")[2]))
    async with (
        aiohttp.ClientSession() as session,
        session.post(nginx.url + CODEX, json=body(), headers=CLAIMS) as response,
    ):
        assert response.status == 200
    seen = upstream.of()[0].headers
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-real-ip"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-host"] == seen["host"] == "127.0.0.1"
    cleared = {"forwarded", "upgrade", "connection", "x-sso-user", "remote-user"}
    assert not (cleared | {"x-gateway-sso-secret"}) & set(seen)
