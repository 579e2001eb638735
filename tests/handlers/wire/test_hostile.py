"""Requests made to break something, and the answers they get."""

import pytest
from yarl import URL

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.errors import PreviousResponseNotFound
from gateway.keys.model_errors import ModelNotAllowed, ModelNotAvailable
from gateway.process.admin_token import admin_token
from tests.serving import CHAT, CODEX, MODEL, V1, payload, turn_on

HEAD = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
DEEP = "[" * 1000 + "]" * 1000
DEEP_ROLE = f'"model":"{MODEL}","messages":[{{"role":{DEEP}}}]'
IMAGES = "/backend-api/codex/images/generations"
MCP = "/backend-api/ps/mcp"


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


@pytest.mark.gen_test
@pytest.mark.parametrize("length", [b"\xb2", b"1" * 5000, b"-1", b"1_0", b"0x1"])
@pytest.mark.parametrize("path", [CODEX, "/health"])
async def test_a_length_that_is_no_number_is_the_clients_fault(serving, length, path):
    method = b"POST" if path == CODEX else b"GET"
    head = HEAD.replace(b"POST", method) + b"Content-Length: " + length + b"\r\n"
    assert status_of(await serving.raw(head, path=path)) in (400, 413)


@pytest.mark.gen_test
@pytest.mark.parametrize("path", [V1, CHAT])
async def test_a_role_of_many_levels_is_refused(serving, path):
    answered = await serving.ask(path, f"{{{DEEP_ROLE}}}".encode())
    assert answered.status == 400
    assert answered.error["code"] == "invalid_request_error"


@pytest.mark.gen_test
async def test_a_frame_with_a_role_of_many_levels_is_refused(serving):
    async with serving.socket(CODEX) as ws:
        await ws.send_str(f'{{"type":"response.create",{DEEP_ROLE}}}')
        told = await ws.receive_json(timeout=30)
        assert told["status"] == 400
        assert (await turn_on(ws))[-1]["type"] == "response.completed"


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "body",
    [
        r'{"method":"ping","id":"\ud800"}',
        r'{"method":"initialize","id":1,"params":{"protocolVersion":"\ud800"}}',
        f'{{"method":"ping","id":{DEEP}}}',
        '{"method":"ping","id":NaN}',
    ],
)
async def test_an_mcp_message_that_could_not_be_answered_is_refused(serving, body):
    answered = await serving.ask(MCP, body.encode())
    assert answered.status == 400


@pytest.mark.gen_test
async def test_an_mcp_version_that_is_no_text_is_not_said_again(serving):
    params = f'{{"protocolVersion":{DEEP}}}'
    asked = f'{{"method":"initialize","id":1,"params":{params}}}'
    answered = await serving.ask(MCP, asked.encode())
    assert isinstance(answered.json["result"]["protocolVersion"], str)


@pytest.mark.gen_test
async def test_what_was_checked_is_what_is_asked_of_an_image_model(serving, upstream):
    upstream.answer(ScriptedResponse.json({"ok": 1}), route="images")
    token = await serving.add_key(models=["cheap"])
    headers = {"authorization": f"Bearer {token}"}

    async def status(body):
        answered = await serving.ask(IMAGES, body, headers=headers)
        return answered.status

    assert await status(b'{"model":"dear"}') == 403
    assert await status(b'{"model":"cheap","model":"dear"}') == 403
    assert await status(b'{"model":"dear"') == 400
    padding = b"[" + b"[]," * 600_000 + b"[]]"
    assert await status(b'{"model":"dear","x":' + padding + b"}") == 400
    long = b'{"model":"dear","n":12345678901234567890123,"model":"cheap"}'
    assert await status(long) == 200
    (seen,) = upstream.of("images")
    assert seen.body == b'{"model":"cheap","n":12345678901234567890123}'


ERRORS = {
    "code": f'{{"code":{DEEP}}}',
    "deep": f'{{"message":"x","more":{DEEP}}}',
    "long number": f'{{"message":"x","n":{"9" * 40}}}',
}


@pytest.mark.gen_test
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
async def test_an_answer_of_upstreams_that_is_hard_to_say_again(
    serving, upstream, error
):
    body = f'{{"error":{error}}}'.encode()
    json_type = {"content-type": "application/json"}
    upstream.answer(ScriptedResponse.of([body], status=400, headers=json_type))
    answered = await serving.ask(V1)
    assert answered.status == 400
    assert answered.error["message"]


@pytest.mark.gen_test
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
async def test_a_failure_that_is_hard_to_say_again_is_folded(serving, upstream, error):
    failed = '{"type":"response.failed","response":{"status":"failed","error":%s}}'
    upstream.answer(after_some_text(failed.replace("%s", error)), times=None)
    answered = await serving.ask(V1, payload(stream=False))
    assert answered.status == 502
    assert answered.error["message"]
    assert isinstance(answered.error["code"], str)


@pytest.mark.gen_test
async def test_a_folded_answer_of_many_levels_is_upstreams_fault(serving, upstream):
    done = '{"type":"response.completed","response":{"id":"resp_1","output":%s}}'
    upstream.answer(after_some_text(done.replace("%s", DEEP)))
    answered = await serving.ask(V1, payload(stream=False))
    assert answered.status == 502
    assert answered.error["code"] == "upstream_protocol_error"


@pytest.mark.gen_test
@pytest.mark.parametrize("header", [b"content-type: text/", b"content-encoding: x"])
async def test_a_header_of_upstreams_without_utf_8_is_upstreams_fault(
    serving, upstream, header
):
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + header + b"\xff\r\n\r\nhi"
    upstream.answer(ScriptedResponse.of([answer], bare=True), times=None)
    answered = await serving.ask(V1)
    assert answered.status == 502
    assert answered.error["origin"] == "upstream"


def after_some_text(event):
    """A stream that is committed, then says this."""
    begun = [
        one for one in ScriptedTurn().text("a").answer().steps if isinstance(one, bytes)
    ]
    return ScriptedResponse.of([*begun, b"data: " + event.encode() + b"\n\n"])


@pytest.mark.parametrize(
    "error", [ModelNotAllowed, ModelNotAvailable, PreviousResponseNotFound]
)
def test_a_long_name_is_not_said_again_in_full(error):
    assert len(str(error("m" * 1_000_000))) < 200


@pytest.fixture
def operator(serving):
    """Asks the admin API: the answer's status."""
    token = admin_token(serving.settings.data_dir).reveal()

    async def ask(method, path, body=None):
        headers = {"x-admin-token": token, "content-type": "application/json"}
        url = URL(path, encoded=True)
        answered = await serving.ask(url, body or b"", method=method, headers=headers)
        return answered.status

    return ask


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "query",
    [
        *("before=" + "9" * 30, "before=-" + "9" * 30, "before=" + "9" * 5000),
        *("since=99999999d", "since=999999w", "since=0001-01-01", "since=9999-12-31"),
        *("model=%00", "key=%00", "account=%23999999999", "status=%ff"),
        *("model=" + "m" * 200, "limit=1e400"),
    ],
)
@pytest.mark.parametrize("path", ["/api/logs", "/api/usage"])
async def test_no_query_of_the_operators_is_a_fault_of_ours(operator, path, query):
    assert await operator("GET", f"{path}?{query}") in (200, 400, 404)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "name", ["%00", "%ff", "one%0a", "9" * 30, "%d9%a1", "m" * 9000]
)
@pytest.mark.parametrize("path", ["accounts", "keys", "logs"])
async def test_no_name_in_a_path_is_a_fault_of_ours(operator, path, name):
    assert await operator("GET", f"/api/{path}/{name}") in (400, 404)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("accounts", r'{"name":"a","base_url":"http://[::1","api_key":"k"}'),
        ("accounts", r'{"name":"a","base_url":"http://a:99999","api_key":"k"}'),
        ("accounts", r'{"name":"a","base_url":"http://a/\u0000","api_key":"k"}'),
        ("accounts", r'{"name":"a","base_url":"http://a/\r\nb","api_key":"k"}'),
        ("accounts", r'{"name":"a","base_url":"http://a/","api_key":"k\r\nx: y"}'),
        ("accounts", r'{"name":"a","base_url":"http://a/","api_key":"ké"}'),
        ("accounts", r'{"name":"\u0000","base_url":"http://a/","api_key":"k"}'),
        ("accounts/import", '{"auth":%s}' % ('{"a":' * 1000 + "1" + "}" * 1000)),
        ("accounts/import", '{"auth":{"tokens":{"access_token":"a\\n"}}}'),
        ("keys", r'{"name":"k","enforce_model":"\u0000"}'),
        ("keys", r'{"name":"k","models":["\ud800"]}'),
        ("keys", r'{"\ud800":"k"}'),
        ("keys", '{"name":"k","rpm":%s}' % ("9" * 30)),
        ("keys", '{"name":"k","rpm":1e400}'),
        ("keys", '{"name":"k","limits":["tokens 9999999999999999g/7d"]}'),
        ("keys", '{"name":"k","expires":"999999w"}'),
        ("keys", "[" * 2000),
    ],
)
async def test_no_change_of_the_operators_is_a_fault_of_ours(operator, path, body):
    assert await operator("POST", f"/api/{path}", body.encode()) == 400
