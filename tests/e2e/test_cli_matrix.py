"""Both Codex CLIs of package.json, straight to upstream and through the gateway."""

import json
import time

import pytest

from gateway.demo import catalogue
from gateway.demo.accounts import DemoAccount
from gateway.demo.answers import Close, ScriptedResponse
from gateway.demo.events import ScriptedTurn, usage
from tests.e2e.app_server import running
from tests.e2e.asking import ask, said

pytestmark = [pytest.mark.clients, pytest.mark.gen_test(timeout=90)]

CODEX = "/backend-api/codex"
INCLUDED = {"x-reasoning-included": "true"}
COMPACT_AT = ("-c", "model_auto_compact_token_limit=60000")

versions = pytest.mark.parametrize("newest", [False, True], ids=["0.169", "newest"])
transports = pytest.mark.parametrize("websockets", [True, False], ids=["ws", "http"])


@pytest.fixture
def cli_at(codex, account):
    """A CLI with a ChatGPT login: `cli_at(url, newest=True, websockets=True)`."""

    def make(url, *, newest, login=account, **config):
        cli = codex(newest=newest)
        cli.login_with_tokens(login.auth_document())
        backend = url + "/backend-api"
        cli.configure(url + CODEX, chatgpt_base_url=backend, **config)
        return cli

    return make


@versions
@transports
async def test_a_tool_loop_prints_the_same(
    upstream, gateway, cli_at, newest, websockets
):
    printed = []
    for url in (upstream.url, gateway.url):
        cli = cli_at(url, newest=newest, websockets=websockets)
        run = await ask(cli, "demo:tool(echo same)")
        said(run)
        printed.append(run.masked())
    assert printed[0] == printed[1]


def is_compaction(received):
    told = received.payload.get("client_metadata", {}).get("x-codex-turn-metadata")
    metadata = told or received.headers.get("x-codex-turn-metadata", "{}")
    return json.loads(metadata).get("request_kind") == "compaction"


async def compactions(upstream, cli):
    """How many there are in four turns with long encrypted reasoning."""
    seen = len(upstream.of())
    async with running(cli, *COMPACT_AT) as server:
        options = {"approvalPolicy": "never", "sandbox": "danger-full-access"}
        started = await server.call("thread/start", options)
        for number in range(4):
            turn = await server.turn(started["thread"]["id"], f"turn {number}")
            assert turn == "completed"
    return sum(is_compaction(one) for one in upstream.of()[seen:])


@pytest.mark.parametrize(
    ("newest", "included"), [(False, True), (True, True), (True, False)]
)
@transports
async def test_it_compacts_as_often(
    upstream, gateway, cli_at, newest, websockets, included
):
    def long_reasoning(received):
        turn = ScriptedTurn().reasoning("thought", "x" * 200_000).text("done")
        headers = INCLUDED if included else {}
        return turn.completed(usage(input_tokens=1_000)).answer(headers=headers)

    shaken = ScriptedResponse(status=101, headers=INCLUDED if included else {})
    upstream.answer(shaken, route="handshake", times=None)
    upstream.answer(long_reasoning, times=None)
    counted = [
        await compactions(upstream, cli_at(url, newest=newest, websockets=websockets))
        for url in (upstream.url, gateway.url)
    ]
    assert counted == ([0, 0] if included else [1, 1])


async def test_a_socket_closed_as_too_small_is_left_for_http_at_once(
    upstream, gateway, cli_at
):
    seconds = []
    for url in (upstream.url, gateway.url):
        upstream.answer(Close(1009), route="responses")
        started = time.monotonic()
        run = await ask(cli_at(url, newest=True), "good morning")
        seconds.append(time.monotonic() - started)
        assert run.returncode == 0, run.stderr
        assert upstream.of()[-1].transport == "http"
        assert "Reconnecting" not in run.stderr
    straight, through = seconds
    assert through < straight + 5, seconds


@pytest.mark.parametrize("login", ["tokens", "key"])
async def test_the_newest_s_default_model_at_an_upstream_that_filters(
    upstream, start_gateway, codex, login
):
    """It shows models to clients that are new enough for them."""

    upstream.models.insert(
        0, {**upstream.models[0], "slug": "gpt-6.2-sol", "priority": 0}
    )

    def filtering(received):
        is_new = "client_version=0.171" in received.query
        models = upstream.models if is_new else upstream.models[1:]
        return catalogue.answer(models, openai=False)

    upstream.answer(filtering, route="models", times=None)
    gateway = await start_gateway()
    cli = codex(newest=True)
    if login == "tokens":
        cli.login_with_tokens(DemoAccount("user").auth_document())
    else:
        cli.login_with_key("sk-fake-users-own-key")
    backend = gateway.url + "/backend-api"
    cli.configure(gateway.url + CODEX, model="", chatgpt_base_url=backend)
    run = await ask(cli, "good morning")
    assert said(run) == "Hello from the scripted upstream. You said: good morning"
    assert upstream.of()[-1].payload["model"] == "gpt-6.2-sol"
