"""Prompts choose scenarios of the scripted upstream."""

import json

import pytest

from gateway.demo.scenarios import sample
from tests.gateway.demo.client import body, client, user

CUSTOM = {
    "type": "additional_tools",
    "tools": [{"type": "namespace", "tools": [{"type": "custom", "name": "exec"}]}],
}


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
async def test_a_forced_tool_goes_before_a_format_and_gets_what_it_requires(upstream):
    text = {"format": {"type": "json_schema", "name": "x", "schema": {}}}
    parameters = {
        "type": "object",
        "properties": {"command": {}, "why": {"type": "string"}, "timeout": {}},
        "required": ["command", "why"],
    }
    bash = {"type": "function", "name": "bash", "parameters": parameters}
    async with client(upstream) as one:
        events = await one.events(
            body(
                tools=[bash],
                tool_choice={"type": "function", "name": "bash"},
                text=text,
            )
        )
    (item,) = events[-1]["response"]["output"]
    assert json.loads(item["arguments"]) == {
        "command": "echo hello-from-the-tool",
        "why": "A scripted answer",
    }
