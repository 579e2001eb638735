"""The real openai SDK: chat completions, custom tools, files and pictures."""

import json

import openai
import pytest

from gateway.demo.events import ScriptedTurn
from tests.e2e.test_openai_sdk import QUESTION, WEATHER

pytestmark = pytest.mark.slow


CHAT_TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": WEATHER, "strict": True},
}


@pytest.mark.gen_test(timeout=30)
async def test_chat_completions(client):
    async with client:
        chat = await client.chat.completions.create(model="gpt-5.5", messages=QUESTION)
        assert chat.object == "chat.completion"
        assert chat.choices[0].message.content == "forty two"
        assert chat.choices[0].finish_reason == "stop"
        assert chat.usage.prompt_tokens == 100
        stream = await client.chat.completions.create(
            model="gpt-5.5",
            messages=QUESTION,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
        assert len({chunk.id for chunk in chunks}) == 1
        text = "".join(
            chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices
        )
        assert text == "forty two"
        assert chunks[-1].choices == []
        assert chunks[-1].usage.total_tokens == 120


@pytest.mark.gen_test(timeout=30)
async def test_chat_tools_and_refusal(client):
    async with client:
        question = [{"role": "user", "content": "Will it rain?"}]
        options = {"model": "gpt-5.5", "tools": [CHAT_TOOL], "tool_choice": "required"}
        asked = await client.chat.completions.create(messages=question, **options)
        assert asked.choices[0].finish_reason == "tool_calls"
        (call,) = asked.choices[0].message.tool_calls
        assert set(json.loads(call.function.arguments)) == {"city", "days"}
        async with client.chat.completions.stream(
            messages=question, **options
        ) as events:
            streamed = await events.get_final_completion()
        (again,) = streamed.choices[0].message.tool_calls
        assert again.function.arguments == call.function.arguments
        result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
        message = asked.choices[0].message.model_dump(exclude_none=True)
        told = await client.chat.completions.create(
            model="gpt-5.5", messages=[*question, message, result], tools=[CHAT_TOOL]
        )
        assert "all done" in told.choices[0].message.content
        refused = await client.chat.completions.create(
            model="gpt-5.5", messages=[{"role": "user", "content": "demo:refusal(no)"}]
        )
        assert refused.choices[0].message.refusal == "no"


@pytest.mark.gen_test(timeout=30)
async def test_custom_tools(client, upstream):
    """A tool called with a text, in chat and in responses, and told its result."""
    asked = [{"role": "user", "content": "Edit it."}]
    lark = {"syntax": "lark", "definition": "start: /.+/"}
    format = {"type": "grammar", "grammar": lark}
    tool = {"type": "custom", "custom": {"name": "edit", "format": format}}
    flat = {"type": "custom", "name": "edit", "format": {"type": "grammar", **lark}}
    turn = ScriptedTurn().custom_call("edit", "a = b").completed()
    upstream.answer(turn.answer(), times=2)
    async with client:
        chat = await client.chat.completions.create(
            model="gpt-5.5", messages=asked, tools=[tool]
        )
        (call,) = chat.choices[0].message.tool_calls
        assert (call.type, call.custom.name, call.custom.input) == (
            *("custom", "edit", "a = b"),
        )
        response = await client.responses.create(
            model="gpt-5.5", input="Edit it.", tools=[flat]
        )
        assert response.output[0].input == "a = b"
        message = chat.choices[0].message.model_dump(exclude_none=True)
        result = {"role": "tool", "tool_call_id": call.id, "content": "done"}
        told = await client.chat.completions.create(
            model="gpt-5.5", messages=[*asked, message, result], tools=[tool]
        )
        assert "all done" in told.choices[0].message.content
    first, second, third = (received.payload for received in upstream.of())
    assert first["tools"] == second["tools"] == [flat]
    kinds = [item.get("type") for item in third["input"]]
    assert kinds == [None, "custom_tool_call", "custom_tool_call_output"]


@pytest.mark.gen_test(timeout=30)
async def test_files_and_pictures_within_a_request(client, upstream):
    pdf = "data:application/pdf;base64,JVBERi0xLjQ="
    png = "data:image/png;base64,iVBORw0KGgo="
    parts = [
        {"type": "text", "text": "demo:say(read)"},
        {"type": "file", "file": {"filename": "notes.pdf", "file_data": pdf}},
        {"type": "image_url", "image_url": {"url": png, "detail": "low"}},
    ]
    native = [
        {"type": "input_text", "text": "demo:say(read)"},
        {"type": "input_file", "filename": "notes.pdf", "file_data": pdf},
        {"type": "input_image", "image_url": png, "detail": "low"},
    ]
    async with client:
        chat = await client.chat.completions.create(
            model="gpt-5.5", messages=[{"role": "user", "content": parts}]
        )
        assert chat.choices[0].message.content == "read"
        response = await client.responses.create(
            model="gpt-5.5", input=[{"role": "user", "content": native}]
        )
        assert response.output_text == "read"
        with pytest.raises(openai.NotFoundError, match="send its data within"):
            await client.files.create(file=("notes.pdf", b"%PDF"), purpose="user_data")
    assert [received.payload["input"][0]["content"] for received in upstream.of()] == (
        [native] * 2
    )


@pytest.mark.gen_test(timeout=30)
async def test_pictures_are_made_and_edited(client, upstream):
    async with client:
        made = await client.images.generate(model="gpt-image-2", prompt="a cat")
        edited = await client.images.edit(
            model="gpt-image-2", prompt="a dog", image=("cat.png", b"\x89PNG")
        )
    assert made.data[0].b64_json == edited.data[0].b64_json
    generated, form = upstream.of("images")
    assert generated.payload == {"model": "gpt-image-2", "prompt": "a cat"}
    assert form.headers["content-type"].startswith("multipart/form-data")
    assert b"\x89PNG" in form.body
