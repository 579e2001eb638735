"""Structured output and forced tools: the scripted upstream does as it is told."""

import json

import pytest

from gateway.demo.content.samples import sample
from tests.gateway.demo.client import body, client
from tests.serving import CHAT, V1

SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 5},
        "kind": {"enum": ["a", "b"]},
        "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
    },
    "required": ["title", "kind", "steps"],
    "additionalProperties": False,
    "$defs": {"step": {"type": "object", "properties": {"n": {"type": "integer"}}}},
}
FITTING = {"title": "A scr", "kind": "a", "steps": [{"n": 7}]}
FORMAT = {"name": "x", "schema": SCHEMA}
RESPONSES = {"model": "gpt-5.5", "input": "hi"}
ASKING = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hi"}]}


def function(name):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    return {"type": "function", "name": name, "parameters": schema}


def in_chat(tool):
    kind = tool["type"]
    return {"type": kind, kind: {k: v for k, v in tool.items() if k != "type"}}


TOOLS = [function("shell"), function("weather"), {"type": "custom", "name": "note"}]


async def content(serving, path, body):
    answered = await serving.ask(path, body)
    assert answered.status == 200, answered.body
    if path == CHAT:
        return answered.json["choices"][0]["message"]
    (item,) = answered.json["output"]
    return item


@pytest.mark.gen_test
async def test_structured_output_fits_on_both_surfaces(serving):
    wanted = {"format": {"type": "json_schema", **FORMAT}}
    item = await content(serving, V1, RESPONSES | {"text": wanted})
    assert json.loads(item["content"][0]["text"]) == FITTING
    wanted = {"type": "json_schema", "json_schema": FORMAT}
    message = await content(serving, CHAT, ASKING | {"response_format": wanted})
    assert json.loads(message["content"]) == FITTING


@pytest.mark.gen_test
async def test_a_json_object_is_one_on_both_surfaces(serving):
    told = {"input": "Answer in JSON.", "text": {"format": {"type": "json_object"}}}
    item = await content(serving, V1, RESPONSES | told)
    assert isinstance(json.loads(item["content"][0]["text"]), dict)
    wanted = {"response_format": {"type": "json_object"}}
    message = await content(serving, CHAT, ASKING | wanted)
    assert isinstance(json.loads(message["content"]), dict)


@pytest.mark.parametrize("name", ["shell", "weather", "note"])
@pytest.mark.gen_test
async def test_a_named_tool_is_called_on_both_surfaces(serving, name):
    kind = "custom" if name == "note" else "function"
    told = {"tools": TOOLS, "tool_choice": {"type": kind, "name": name}}
    item = await content(serving, V1, RESPONSES | told)
    assert item["name"] == name
    told = {
        "tools": list(map(in_chat, TOOLS)),
        "tool_choice": {"type": kind, kind: {"name": name}},
    }
    message = await content(serving, CHAT, ASKING | told)
    (call,) = message["tool_calls"]
    assert call[kind]["name"] == name


@pytest.mark.parametrize("tools", [TOOLS, TOOLS[1:], TOOLS[2:]])
@pytest.mark.gen_test
async def test_where_a_tool_is_required_one_is_called(serving, tools):
    told = {"tools": tools, "tool_choice": "required"}
    item = await content(serving, V1, RESPONSES | told)
    assert item["name"] == tools[0]["name"]
    told = {"tools": list(map(in_chat, tools)), "tool_choice": "required"}
    message = await content(serving, CHAT, ASKING | told)
    assert len(message["tool_calls"]) == 1


@pytest.mark.parametrize(
    ("mode", "kind"), [("required", "function_call"), ("auto", "message")]
)
@pytest.mark.gen_test
async def test_of_allowed_tools_one_is_called_where_that_is_required(
    serving, mode, kind
):
    allowed = [{"type": "function", "name": "weather"}]
    choice = {"type": "allowed_tools", "mode": mode, "tools": allowed}
    told = {"tools": TOOLS, "tool_choice": choice}
    item = await content(serving, V1, RESPONSES | told)
    assert item["type"] == kind
    assert item.get("name") in (None, "weather")


@pytest.mark.gen_test
async def test_a_forced_tool_goes_before_a_format_and_gets_what_it_requires(upstream):
    text = {"format": {"type": "json_schema", "name": "x", "schema": {}}}
    parameters = {
        "type": "object",
        "properties": {"command": {}, "why": {"type": "string"}, "timeout": {}},
        "required": ["command", "why"],
    }
    bash = {"type": "function", "name": "bash", "parameters": parameters}
    choice = {"type": "function", "name": "bash"}
    async with client(upstream) as one:
        asked = body(tools=[bash], tool_choice=choice, text=text)
        events = await one.events(asked)
    (item,) = events[-1]["response"]["output"]
    assert json.loads(item["arguments"]) == {
        "command": "echo hello-from-the-tool",
        "why": "A scripted answer",
    }


NODE = {
    "type": "object",
    "properties": {
        "value": {"type": "string", "format": "date"},
        "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        "children": {"type": "array", "items": {"$ref": "#"}},
    },
    "required": ["value", "next", "children"],
}


def test_a_schema_that_refers_to_itself_ends_and_fits():
    def check(node):
        assert node.keys() == {"value", "next", "children"}
        assert node["value"] == "2026-01-31"
        for child in [*node["children"], *filter(None, [node["next"]])]:
            check(child)

    check(sample(NODE))
    assert sample({"$ref": "#"}) is not None
    endless = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    assert "next" in sample(endless | {"required": ["next"]})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "maximum": 5}, 5),
        ({"type": "integer", "minimum": 10, "multipleOf": 4}, 12),
        ({"type": "integer", "exclusiveMaximum": 3}, 2),
        ({"type": "number", "exclusiveMinimum": 8}, 8.5),
        ({"type": "number", "minimum": 0, "maximum": 1}, 1),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "array", "items": {"const": 1}, "minItems": 2}, [1, 1]),
        ({"type": "array", "maxItems": 0}, []),
        ({"allOf": [{"type": "integer"}, {"minimum": 9}]}, 9),
        ({"anyOf": [{"type": "string", "format": "email"}]}, "ada@demo.example"),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": "x"}}}, "x"),
        ({"$ref": "#/none"}, "A scripted answer"),
        ("no schema", "A scripted answer"),
    ],
)
def test_values_keep_within_their_bounds(schema, value):
    assert sample(schema) == value
