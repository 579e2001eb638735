"""The scripted upstream does what a real one would, on both transports."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
import zstandard

from gateway.demo import faults
from gateway.demo.accounts import claims
from gateway.demo.answers import Close, Cut, ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.demo.oauth import CLIENT_ID
from gateway.demo.samples import sample

SHELL = {"type": "function", "name": "exec_command", "parameters": {"type": "object"}}
CUSTOM = {
    "type": "additional_tools",
    "tools": [{"type": "namespace", "tools": [{"type": "custom", "name": "exec"}]}],
}


def body(prompt="hi", **more):
    return {"model": "gpt-5.5", "input": prompt, "stream": True, **more}


def user(text):
    return {"type": "message", "role": "user", "content": text}


def headers(account):
    return {
        "authorization": f"Bearer {account.access_token}",
        "chatgpt-account-id": account.account_id,
    }


def events_of(text):
    return [
        json.loads(line.removeprefix("data: "))
        for line in text.splitlines()
        if line.startswith("data: ")
    ]


class Client:
    """A client of one account over both transports."""

    def __init__(self, session, upstream, account):
        self.session = session
        self.base = upstream.url + "/backend-api/codex"
        self.account = account

    def post(self, payload, **more):
        return self.session.post(
            self.base + "/responses",
            json=payload,
            headers=headers(self.account),
            **more,
        )

    async def events(self, payload):
        async with self.post(payload) as response:
            return events_of(await response.text())

    async def text(self, payload):
        return output_text((await self.events(payload))[-1])

    def socket(self):
        return self.session.ws_connect(
            self.base + "/responses", headers=headers(self.account)
        )


def output_text(terminal):
    parts = [
        part
        for item in terminal["response"]["output"]
        for part in item.get("content", [])
    ]
    return "".join(part.get("text", "") for part in parts)


@asynccontextmanager
async def client(upstream, name="one"):
    account = upstream.accounts.get(name) or upstream.add_account(name)
    async with aiohttp.ClientSession() as session:
        yield Client(session, upstream, account)


async def turn_on(ws, payload):
    """Send a frame, read until the turn has ended."""
    await ws.send_json({"type": "response.create", **payload})
    seen = []
    while not seen or seen[-1]["type"] not in {
        "response.completed",
        "response.failed",
        "error",
    }:
        seen.append(await ws.receive_json(timeout=5))
    return seen


@pytest.mark.gen_test
async def test_a_friendly_answer_streams_and_completes(upstream):
    async with client(upstream) as one, one.post(body("good morning")) as response:
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["x-codex-turn-state"] == "turn-of-one"
        assert response.headers["x-codex-primary-used-percent"] == "12"
        events = events_of(await response.text())
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    deltas = [e["delta"] for e in events if e["type"] == "response.output_text.delta"]
    assert "".join(deltas) == output_text(events[-1])
    assert "good morning" in output_text(events[-1])
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


@pytest.mark.gen_test
async def test_requests_are_recorded_as_they_were_sent(upstream):
    packed = zstandard.compress(json.dumps(body("packed")).encode())
    async with client(upstream) as one:
        more = {"content-encoding": "zstd", "X-Odd_Name": "1", **headers(one.account)}
        async with one.session.post(
            one.base + "/responses", data=packed, headers=more
        ) as response:
            await response.read()
    (received,) = upstream.of("responses")
    assert received.body == packed
    assert received.payload["input"] == "packed"
    assert ("X-Odd_Name", "1") in received.raw_headers
    assert received.account == "one"
    assert received.done.is_set()
    assert not received.closed.is_set()


@pytest.mark.gen_test
async def test_scripted_answers_come_first_and_each_to_its_account(upstream):
    upstream.answer(b"data: for two\n\n", account="two", times=None)
    upstream.answer(faults.usage_limit(), account="one")
    async with client(upstream, "one") as one, client(upstream, "two") as two:
        async with one.post(body()) as response:
            assert response.status == 429
            error = (await response.json())["error"]
        assert error["type"] == "usage_limit_reached"
        assert {"resets_at", "plan_type"} <= set(error)
        for _ in range(2):
            async with two.post(body()) as response:
                assert await response.read() == b"data: for two\n\n"
        assert "You said" in await one.text(body())


@pytest.mark.gen_test
async def test_an_answer_held_by_an_event_shows_when_the_client_leaves(upstream):
    upstream.answer(b"data: first\n\n", asyncio.Event())
    async with client(upstream) as one:
        async with one.post(body()) as response:
            assert await response.content.readuntil(b"\n\n") == b"data: first\n\n"
            received = await upstream.arrived()
            assert not received.closed.is_set()
        await asyncio.wait_for(received.closed.wait(), 5)


@pytest.mark.parametrize(
    "answer",
    [
        faults.reset_before_headers(),
        faults.reset_after_headers(),
        faults.cut_after(ScriptedTurn().text("cut").answer(), 3),
        faults.cut_mid_event(ScriptedTurn().text("cut").answer(), 3),
        faults.short_body(),
        faults.bad_chunking(),
    ],
    ids=["before headers", "after headers", "cut", "mid event", "short", "chunks"],
)
@pytest.mark.gen_test
async def test_a_cut_is_visible_to_the_client(upstream, answer):
    upstream.answer(answer)
    async with client(upstream) as one:
        with pytest.raises(aiohttp.ClientError):
            async with one.post(body()) as response:
                await response.read()
    assert not upstream.of()[0].closed.is_set()  # it was not the client who left


@pytest.mark.gen_test
async def test_odd_bytes_pass_as_they_are(upstream):
    whole = ScriptedTurn().text("grüße").completed().answer()
    upstream.answer(faults.dripped(whole, 7))
    upstream.answer(faults.gzipped(whole))
    upstream.answer(faults.wrong_content_type())
    upstream.answer(faults.oversized(3 << 20))
    async with client(upstream) as one:
        for _ in range(2):
            async with one.post(body()) as response:
                assert await response.read() == faults.as_bytes(whole)
        async with one.post(body()) as response:
            assert response.headers["content-type"].startswith("text/html")
        async with one.post(body()) as response:
            assert len(await response.read()) > 3 << 20


@pytest.mark.gen_test
async def test_tokens_that_are_missing_expired_or_revoked_are_refused(upstream):
    upstream.add_account("late", lifetime=-60)
    async with client(upstream, "late") as late, client(upstream, "one") as one:
        async with late.post(body()) as response:
            assert response.status == 401
        async with late.session.post(late.base + "/responses", json=body()) as response:
            assert response.status == 401
        upstream.auth.expire("one")
        async with one.post(body()) as response:
            assert response.status == 401
        one.account.issue()
        async with one.post(body()) as response:
            assert response.status == 200


@pytest.mark.gen_test
async def test_many_turns_share_a_socket_and_its_response_ids(upstream):
    async with client(upstream) as one, one.socket() as ws:
        warm = await turn_on(ws, body([], generate=False))
        assert [event["type"] for event in warm][-1] == "response.completed"
        anchor = warm[-1]["response"]["id"]
        call = await turn_on(
            ws,
            body([user("demo:tool(ls)")], previous_response_id=anchor, tools=[SHELL]),
        )
        assert call[0]["type"] == "codex.rate_limits"
        (item,) = call[-1]["response"]["output"]
        assert json.loads(item["arguments"]) == {"cmd": "ls"}
        output = {"type": "function_call_output", "call_id": item["call_id"]}
        end = await turn_on(
            ws, body([output], previous_response_id=call[-1]["response"]["id"])
        )
        assert "all done" in output_text(end[-1])
    frames = [r for r in upstream.requests if r.transport == "websocket"]
    assert [frame.route for frame in frames] == ["prewarm", "responses", "responses"]
    assert len({frame.connection for frame in frames}) == 1
    await asyncio.wait_for(frames[-1].closed.wait(), 5)


@pytest.mark.gen_test
async def test_response_ids_are_unknown_on_another_socket(upstream):
    async with client(upstream) as one:
        async with one.socket() as ws:
            first = await turn_on(ws, body())
        anchor = first[-1]["response"]["id"]
        async with one.socket() as ws:
            seen = await turn_on(ws, body(previous_response_id=anchor))
            assert seen[-1]["status"] == 400
            assert seen[-1]["error"]["code"] == "previous_response_not_found"
            assert (await turn_on(ws, body()))[-1]["type"] == "response.completed"


@pytest.mark.gen_test
async def test_a_refusal_is_an_error_frame_and_a_cut_ends_the_socket(upstream):
    upstream.answer(faults.unavailable(retry_after=3))
    upstream.answer({"type": "response.created", "response": {}}, Close(1012))
    upstream.answer(Cut.RESET)
    async with client(upstream) as one:
        async with one.socket() as ws:
            (frame,) = await turn_on(ws, body())
            assert frame["status"] == 503
            assert frame["headers"] == {"retry-after": "3"}
            await ws.send_json(body())
            assert (await ws.receive_json())["type"] == "response.created"
            assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
            assert ws.close_code == 1012
        async with one.socket() as ws:
            await ws.send_json(body())
            message = await ws.receive()
            assert message.type is not aiohttp.WSMsgType.TEXT


@pytest.mark.gen_test
async def test_a_client_that_leaves_its_socket_ends_the_turn(upstream):
    upstream.answer({"type": "response.created"}, asyncio.Event())
    async with client(upstream) as one, one.socket() as ws:
        await ws.send_json(body())
        await ws.receive_json()
        received = await upstream.arrived()
        await ws.close()
        await asyncio.wait_for(received.closed.wait(), 5)


@pytest.mark.gen_test
async def test_a_handshake_can_be_refused(upstream):
    upstream.answer(faults.refusal(426, "upgrade_required", "no"), route="handshake")
    async with client(upstream) as one:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await one.socket()
        assert refused.value.status == 426
        async with one.socket() as ws:
            assert (await turn_on(ws, body()))[-1]["type"] == "response.completed"


@pytest.mark.gen_test
async def test_compaction_gives_exactly_one_item_that_only_its_account_reads(upstream):
    trigger = body([user("hi"), {"type": "compaction_trigger"}])
    async with client(upstream, "one") as one, client(upstream, "two") as two:
        (item,) = (await one.events(trigger))[-1]["response"]["output"]
        assert item["type"] == "compaction"
        followup = body([item, user("go on")])
        assert "go on" in await one.text(followup)
        async with two.post(followup) as response:
            assert response.status == 400
            error = (await response.json())["error"]
            assert error["code"] == "invalid_encrypted_content"


@pytest.mark.gen_test
async def test_directives_choose_a_scenario(upstream):
    async with client(upstream) as one:
        assert await one.text(body("demo:say(just this)")) == "just this"
        lite = await one.events(body([CUSTOM, user("demo:tool(ls -la)")]))
        assert lite[-1]["response"]["output"][0]["name"] == "exec"
        assert "ls -la" in lite[-1]["response"]["output"][0]["input"]
        refused = await one.events(body("demo:refusal"))
        assert any(event["type"] == "response.refusal.delta" for event in refused)
        assert (await one.events(body("demo:incomplete")))[-1]["type"] == (
            "response.incomplete"
        )
        failed = await one.events(body("demo:failed(slow_down)"))
        assert failed[-1]["response"]["error"]["code"] == "slow_down"
        used = await one.events(body("demo:usage(4711)"))
        assert used[-1]["response"]["usage"]["input_tokens"] == 4711


@pytest.mark.gen_test
async def test_structured_output_fits_the_schema(upstream):
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string", "maxLength": 5},
            "kind": {"enum": ["a", "b"]},
            "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
        },
        "$defs": {"step": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    }
    text = {"format": {"type": "json_schema", "name": "x", "schema": schema}}
    async with client(upstream) as one:
        value = json.loads(await one.text(body(text=text)))
    assert value == {"title": "A scr", "kind": "a", "steps": [{"n": 7}]}


def test_a_schema_that_refers_to_itself_ends():
    assert sample({"type": "object", "properties": {"next": {"$ref": "#"}}}) == {
        "next": "A scripted answer"
    }


@pytest.mark.gen_test
async def test_the_quiet_routes_answer(upstream):
    async with client(upstream) as one:

        async def fetch(path, method="GET", **more):
            more.setdefault("headers", headers(one.account))
            async with one.session.request(method, upstream.url + path, **more) as r:
                assert r.status == 200, path
                return await r.json(), r.headers

        codex, heads = await fetch("/backend-api/codex/models?client_version=1")
        assert [model["use_responses_lite"] for model in codex["models"]][:2] == [
            True,
            False,
        ]
        async with one.post(body()) as response:
            assert response.headers["x-models-etag"] == heads["etag"]
        public, _ = await fetch("/v1/models", headers={"authorization": "Bearer sk-x"})
        assert public["object"] == "list"
        limits, _ = await fetch("/backend-api/wham/usage")
        assert limits["rate_limit"]["primary_window"]["used_percent"] == 12
        compacted, _ = await fetch(
            "/backend-api/codex/responses/compact", "POST", json=body()
        )
        assert compacted["output"][0]["type"] == "compaction"
        for path in ("images/generations", "alpha/search"):
            assert (await fetch(f"/backend-api/codex/{path}", "POST", json={}))[0]


async def grant(session, upstream, **fields):
    body = {"client_id": CLIENT_ID, **fields}
    kind = "json" if fields["grant_type"] == "refresh_token" else "data"
    async with session.post(upstream.url + "/oauth/token", **{kind: body}) as response:
        return response.status, await response.json()


@pytest.mark.gen_test
async def test_a_refresh_token_works_once(upstream):
    account = upstream.add_account("one")
    refresh = {"grant_type": "refresh_token", "refresh_token": account.refresh_token}
    async with aiohttp.ClientSession() as session:
        status, tokens = await grant(session, upstream, **refresh)
        assert status == 200
        assert tokens["refresh_token"] == account.refresh_token
        assert tokens["access_token"] == account.access_token
        status, again = await grant(session, upstream, **refresh)
    assert status == 401
    assert again["error"]["code"] == "refresh_token_reused"
    assert upstream.auth.refreshed == ["one"]


@pytest.mark.gen_test
async def test_the_device_flow_ends_in_tokens(upstream):
    upstream.add_account("one")
    base = upstream.url + "/api/accounts/deviceauth"
    async with aiohttp.ClientSession() as session:

        async def ask(path, **body):
            async with session.post(f"{base}/{path}", json=body) as response:
                return response.status, await response.json()

        _, asked = await ask("usercode", client_id=CLIENT_ID)
        poll = {name: asked[name] for name in ("device_auth_id", "user_code")}
        assert (await ask("token", **poll))[0] == 403
        status, allowed = await ask("token", **poll)
        assert status == 200
        form = {
            "grant_type": "authorization_code",
            "code": allowed["authorization_code"],
            "code_verifier": allowed["code_verifier"],
            "redirect_uri": upstream.url + "/deviceauth/callback",
        }
        bad_status, _ = await grant(
            session, upstream, **{**form, "redirect_uri": "http://elsewhere/"}
        )
        assert bad_status == 400
        status, tokens = await grant(session, upstream, **form)
        assert status == 200
        about = claims(tokens["id_token"])
        assert about["https://api.openai.com/auth"]["chatgpt_account_id"] == "acc-one"
        assert (await grant(session, upstream, **form))[0] == 400  # a code works once


def test_secrets_of_demo_accounts_do_not_show(tmp_path):
    from gateway.demo.accounts import DemoAccount

    account = DemoAccount("one")
    assert account.access_token not in repr(account)
    path = account.write_auth_file(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["tokens"]["account_id"] == "acc-one"


def test_headers_can_be_added_to_an_answer():
    answer = ScriptedResponse.json({"a": 1}).with_headers({"x-a": "b"}).after(0.5)
    assert answer.headers["x-a"] == "b"
    assert answer.before == (0.5,)
