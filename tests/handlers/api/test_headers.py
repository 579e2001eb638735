"""Headers: allow-lists both ways, seen from the raw bytes."""

import json
import time
from email.utils import parsedate_to_datetime

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.serving import CODEX, V1, payload, turn_on

PASSING = {
    "accept": "text/event-stream",
    "content-type": "application/json",
    "user-agent": "codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm",
    "originator": "codex_exec",
    "version": "0.169.0",
    "openai-beta": "responses=experimental",
    "session-id": "s-1",
    "session_id": "s-2",
    "thread-id": "t-1",
    "thread_id": "t-2",
    "conversation_id": "c-1",
    "x-client-request-id": "t-1",
    "x-codex-turn-metadata": '{"turn_id":"1"}',
    "x-codex-beta-features": "remote_compaction_v2",
    "x-openai-subagent": "collab_spawn",
    "x-oai-of-tomorrow": "a",
    "x-responsesapi-include": "i",
    "traceparent": "00-1-2-01",
    "tracestate": "a=b",
}
STAYING = {
    "authorization": "Bearer the-client-s-own",
    "chatgpt-account-id": "the-client-s-own",
    "cookie": "a=b",
    "referer": "http://localhost/x",
    "accept-encoding": "gzip, br",
    "accept-language": "de",
    "x-request-id": "inbound",
    "x-stainless-lang": "python",
    "openai-organization": "org",
    "te": "trailers",
    "upgrade-insecure-requests": "1",
    "priority": "u=1",
    "x-openai-actor-authorization": "actor",
    "x-openai-agent-assertion": "assertion",
    "x-oai-attestation": "a",
    "x-openai-internal-codex-residency": "eu",
    "x-openai-fedramp": "true",
    "x-oai-unknown": "Bearer abc",
}


def head(names):
    lines = b"".join(f"{k}: {v}\r\n".encode() for k, v in names.items())
    return b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + lines


@pytest.mark.gen_test
async def test_upstream_sees_the_client_s_headers_and_the_account_s(serving, upstream):
    await serving.raw(head(PASSING | STAYING), payload())
    (received,) = upstream.of()
    account = upstream.accounts["one"]
    expected = PASSING | {
        "authorization": f"Bearer {account.access_token}",
        "chatgpt-account-id": account.account_id,
        "accept-encoding": "identity",
        "host": upstream.url.removeprefix("http://"),
        "content-length": str(len(received.body)),
    }
    assert {name.lower(): value for name, value in received.raw_headers} == expected
    assert len(received.raw_headers) == len(expected)


@pytest.mark.gen_test
async def test_an_upgrade_s_headers_pass_by_the_same_list(serving, upstream):
    names = {k: v for k, v in (PASSING | STAYING).items() if k != "content-type"}
    async with serving.socket(headers=names) as ws:
        await turn_on(ws)
    (received,) = upstream.of("handshake")
    found = {name.lower(): value for name, value in received.raw_headers}
    assert {k: v for k, v in found.items() if k in PASSING} == {
        name: value for name, value in PASSING.items() if name != "content-type"
    }
    assert not found.items() & STAYING.items()


OF_THE_LOGIN = {name: v for name, v in STAYING.items() if name.startswith("x-o")}
KEPT_METADATA = {
    "session_id": "s",
    "x-codex-turn-metadata": '{"token":"Bearer abc"}',
    "ws_request_header_x_openai_internal_codex_responses_lite": "true",
    "x-openai-of-tomorrow": "a",
}


@pytest.mark.gen_test
@pytest.mark.parametrize("path", [CODEX, V1])
async def test_metadata_carries_nothing_of_the_client_s_login(serving, upstream, path):
    as_in_frames = {
        "ws_request_header_" + name.replace("-", "_"): value
        for name, value in OF_THE_LOGIN.items()
    }
    assert len(OF_THE_LOGIN) == 6
    mixed = payload(client_metadata=KEPT_METADATA | OF_THE_LOGIN | as_in_frames)
    kept = payload(client_metadata=KEPT_METADATA)
    for request in (mixed, kept):
        assert (await serving.ask(path, request)).status == 200
        async with serving.socket(path) as ws:
            await turn_on(ws, request)
    for received in upstream.of():
        assert received.payload["client_metadata"] == KEPT_METADATA
    rows = await serving.rows(4)
    noted = [len([c for c in row["changes"] if "login" in c]) for row in rows]
    assert noted == [1, 1, 0, 0]


@pytest.mark.gen_test
async def test_nothing_of_the_http_library_is_added(serving, upstream):
    await serving.raw(head({}), payload())
    (received,) = upstream.of()
    assert {name.lower() for name, _ in received.raw_headers} == {
        "host",
        "authorization",
        "chatgpt-account-id",
        "accept-encoding",
        "content-length",
    }


@pytest.mark.gen_test
async def test_headers_of_the_connection_stay_on_it(serving, upstream):
    await serving.raw(
        b"POST %s HTTP/1.0\r\nHost: localhost\r\n"
        b"Connection: X-Codex-Hop\r\nX-Codex-Hop: 1\r\nX-Codex-Turn-State: t\r\n",
        payload(),
    )
    (received,) = upstream.of()
    assert "x-codex-hop" not in received.headers
    assert "x-codex-turn-state" in received.headers


@pytest.mark.gen_test
async def test_the_client_sees_what_is_for_it(serving, upstream):
    sent = {
        "set-cookie": "a=b",
        "server": "cloudflare",
        "cf-ray": "1",
        "openai-organization": "org",
        "openai-processing-ms": "12",
        "x-reasoning-included": "true",
        "x-codex-turn-state": "ts-1",
        "x-models-etag": "their own",
        "x-request-id": "their own",
        "alt-svc": "h3",
        "x-odd": "1",
    }
    upstream.answer(ScriptedTurn().text("hi").completed().answer(headers=sent))
    answer = await serving.raw(head({}), payload())
    lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    found = {
        name.lower(): value for name, _, value in (ln.partition(": ") for ln in lines)
    }
    assert len(found) == len(lines)
    windows = [name for name in found if name.startswith("x-codex-primary-")]
    assert len(windows) == 3
    # Which of the two depends on how much has come when the head leaves.
    framing = {"content-length", "transfer-encoding"} & found.keys()
    assert len(framing) == 1
    assert {name for name in found if not name.startswith("x-codex-")} == framing | {
        "content-type",
        "openai-processing-ms",
        "x-reasoning-included",
        "x-request-id",
        "cache-control",
        "x-accel-buffering",
        "connection",
        "date",
    }
    assert found["x-codex-turn-state"] == "ts-1"
    assert abs(parsedate_to_datetime(found["date"]).timestamp() - time.time()) < 10
    assert found["x-request-id"] != "their own"
    assert len(found["x-request-id"]) == 32


@pytest.mark.gen_test
async def test_an_error_answer_shows_no_header_of_upstream_but_limits(
    serving, upstream
):
    error = {"error": {"code": "context_length_exceeded", "message": "m"}}
    upstream.answer(
        ScriptedResponse.json(error, 400, {"set-cookie": "a=b", "x-odd": "1"})
    )
    answered = await serving.ask()
    limits = {name for name in answered.headers if name.startswith("x-codex-")}
    assert "x-codex-primary-used-percent" in limits
    assert set(answered.headers) - limits == {
        "content-type",
        "content-length",
        "date",
        "x-request-id",
    }


@pytest.mark.gen_test
async def test_a_turn_state_is_shown_to_its_own_account_only(serving, upstream):
    answered = await serving.ask()
    state = {"x-codex-turn-state": answered.headers["x-codex-turn-state"]}
    await serving.ask(headers=state)
    assert upstream.of()[1].headers["x-codex-turn-state"] == "turn-of-one"
    await serving.pause("one")
    await serving.ask(headers=state)
    assert upstream.of()[2].account == "two"
    assert "x-codex-turn-state" not in upstream.of()[2].headers


@pytest.mark.gen_test
async def test_a_refusal_s_wait_is_passed_on(serving, upstream):
    error = {"error": {"code": "rate_limit_exceeded", "message": "slow down"}}
    answer = ScriptedResponse.json(error, 429, {"retry-after": "7"})
    upstream.answer(answer, times=None)
    for path in (V1, CODEX):
        answered = await serving.ask(path)
        assert answered.status == 429
        assert answered.headers["retry-after"] == "7"
        for account in serving.gateway.pool.accounts.values():
            account.health.resume()


@pytest.mark.gen_test
async def test_no_header_decides_where_the_gateway_connects(serving, upstream):
    given = {"x-openai-base-url": "http://evil", "x-codex-upstream": "http://evil"}
    answered = await serving.ask(
        "/v1/responses?base_url=http://evil",
        json.dumps(payload()).encode(),
        headers=given,
    )
    assert answered.status == 200
    assert upstream.of()[0].path == "/backend-api/codex/responses"
    assert upstream.of()[0].query == ""
