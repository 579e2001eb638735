"""Nothing that a request says is kept anywhere, whatever upstream quotes of it."""

import json
import re
import secrets
import time
from pathlib import Path

import aiohttp
import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.serving import CHAT, CODEX, V1, payload, turn_on, until

CAPTURES = Path(__file__).parents[2] / "captures"
# What the log keeps of a request, in bounds of its own.
KEPT = {"model", "type"}
# Texts with which a request would not be one.
NEEDED = {"role", "include", "tool_choice", "url"}
QUOTES = (str, json.dumps, repr, str.upper, lambda text: json.dumps(json.dumps(text)))


@pytest.fixture
def marker():
    return "Zq7" + secrets.token_hex(5)  # that no column is too short for


def marked(value, marker, name=""):
    """The same with the marker in each text that may be any text."""
    if isinstance(value, dict):
        return {key: marked(value[key], marker, key) for key in value}
    if isinstance(value, list):
        return [marked(one, marker, name) for one in value]
    if not isinstance(value, str) or name in KEPT | NEEDED:
        return value
    return f'{marker} {value[:40]} "{marker}"\n it\'s é {marker}'


def captured(name):
    record = json.loads((CAPTURES / f"{name}.json").read_text())
    return record.get("body") or next(
        one["frame"]
        for one in record["events"]
        if one.get("dir") == "client->server" and one["frame"].get("generate", True)
    )


def quoting_answers(marker):
    """Upstream's refusals and failures, with the marker wherever they have a text."""
    for quote in QUOTES:
        told = quote(f'say "{marker}"\n it\'s é {marker}')
        error = {"message": f"Invalid: {told}.", "code": marker, "type": marker}
        error["param"] = f"input[0].{marker}"
        yield ScriptedResponse.json({"error": error}, status=400)
        failed = ScriptedTurn().failed(marker, f"Not {told}!")
        yield failed.answer()
        yield ScriptedTurn().text("some output").failed(marker, f"No {told}!").answer()
        yield ScriptedTurn().failed("invalid_prompt", f"Not {told}!").answer()
        yield ScriptedResponse.json({"detail": told}, status=422)
    page = f"<html><title>{marker}</title>".encode()
    yield ScriptedResponse((page,), 404, {"content-type": "text/html"})
    error = {"message": marker, "code": marker, "type": marker}
    yield ScriptedResponse((marker.encode(),), 418, {"content-type": "text/plain"})
    yield ScriptedResponse.json({"error": error}, status=401)
    yield ScriptedResponse.json(
        {"error": error}, status=429, headers={"retry-after": "9"}
    )
    yield ScriptedResponse.json({"error": {"message": marker}}, status=403)


def form(marker):
    data = aiohttp.FormData()
    data.add_field("file", marker.encode() * 9, filename=f"{marker}.wav")
    data.add_field("prompt", marker)
    return data


def chat_request(marker):
    return {
        "model": "gpt-5.5",
        "messages": [{"role": "user", "content": f"say {marker}", "name": marker}],
        "user": marker,
        "service_tier": marker,
        "reasoning_effort": marker,
        "metadata": {marker: marker},
        "seed": 7,
    }


def over_http(serving, marker):
    for name in (
        "http_turn1_gpt-5.5_toplevel_tools_chatgpt",
        "http_turn2_gpt-5.5_apikey",
    ):
        yield "responses", serving.ask(CODEX, marked(captured(name), marker))


def over_v1(serving, marker):
    body = marked(captured("http_turn1_output_schema_service_tier"), marker)
    yield "responses", serving.ask(V1, body)
    yield "responses", serving.ask(V1, body | {"stream": False})


def over_chat(serving, marker):
    yield "responses", serving.ask(CHAT, chat_request(marker))
    yield "responses", serving.ask(CHAT, chat_request(marker) | {"stream": True})


def over_socket(serving, marker):
    async def turn(frame):
        async with serving.socket() as ws:
            await turn_on(ws, frame)

    frame = marked(captured("ws_tool_search_mcp"), marker)
    assert "previous_response_id" in frame
    yield "responses", turn(frame)
    del frame["previous_response_id"]
    yield "responses", turn(frame)


def media(serving, marker):
    body = {"model": "gpt-image-2", "prompt": marker, "user": marker}
    yield "images", serving.ask("/backend-api/codex/images/generations", body)
    yield "transcribe", serving.ask("/backend-api/transcribe", form(marker))


def kept(folder):
    """Everything in the data directory, in lower case."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(path.read_bytes() for path in files).lower()


@pytest.mark.parametrize("ask", [over_http, over_v1, over_chat, over_socket, media])
@pytest.mark.gen_test
async def test_what_a_request_says_is_kept_nowhere(
    serving, upstream, marker, ask, caplog
):
    asked = 0
    for answer in quoting_answers(marker):
        for route, asking in ask(serving, marker):
            for name in ("one", "two"):
                serving.account(name).health.logged_in()
            rule = upstream.answer(answer, route=route, times=None)
            await asking
            asked += 1
            upstream.script.remove(rule)
    rows = await serving.rows(asked)
    if ask is over_http:  # half a second
        time.sleep(0.12)  # noqa: ASYNC251 - for a recording of the blocked loop
        await until(lambda: list(serving.settings.data_dir.glob("recordings/*")))
    await serving.stop()
    assert sum(row["status"] == "error" for row in rows) >= asked / 2
    assert marker.lower().encode() not in kept(serving.settings.data_dir)
    assert marker.lower() not in caplog.text.lower()
    await serving.start()


@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_a_model_is_kept_within_bounds_only(serving, path):
    key = {"x-api-key": await serving.add_key(models=["gpt-*"])}
    name = "=x\x1b[2J\n\u202e' OR/1.5" * 9
    body = {"model": name, "messages": [{"role": "user", "content": "hi"}]}
    answered = await serving.ask(
        path, body if path == CHAT else payload(model=name), headers=key
    )
    assert (answered.status, answered.error["code"]) == (403, "model_not_allowed")
    (row,) = await serving.rows()
    assert re.fullmatch(r"[A-Za-z0-9_.:/-]{1,64}", row["model"])
    assert row["requested_model"] == row["model"]
    assert row["error_message"].isprintable()
    assert name[:12] not in row["error_message"]


@pytest.mark.gen_test
async def test_what_upstream_says_of_its_own_is_kept(serving, upstream):
    """With code, type and param, and cut."""
    message = "Unsupported value: 'low' is none of 'high' and 'higher'. " * 9
    error = {"message": message, "code": "unsupported_value", "param": "reasoning"}
    error |= {"type": "invalid_request_error"}
    upstream.answer(ScriptedResponse.json({"error": error}, status=400))
    answered = await serving.ask()
    assert answered.error["message"] == message
    (row,) = await serving.rows()
    assert row["error_message"] == message[:200]
    assert row["error_code"] == "unsupported_value"
    assert row["receipt"]["attempts"][0]["code"] == "unsupported_value"
    assert row["receipt"]["error"] == {
        "type": "invalid_request_error",
        "param": "reasoning",
    }
