"""A request's input in tokens, by kind, before upstream counts it."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.keys.input_estimate import (
    LARGEST_INPUT,
    InputSize,
    field_tokens,
    payload_size,
    text_tokens,
)
from tests.gateway.keys.media_files import png, wav
from tests.tools.soak.shapes import CAPTURES, lengthened

# What the model reads of each captured request, counted with o200k_base (bpe-openai
# 0.1.4): texts as they are, tools as TypeScript, encrypted items as Codex does.
COUNTED = json.loads(Path(__file__).with_name("counted_inputs.json").read_text())


def requests_of(name):
    captured = json.loads((CAPTURES / f"{name}.json").read_text())
    if "body" in captured:
        return [lengthened(captured["body"])]
    frames = [event.get("frame") for event in captured["events"]]
    return [
        lengthened(frame)
        for frame in frames
        if isinstance(frame, dict) and frame.get("type") == "response.create"
    ]


def size(payload):
    return payload_size(payload, len(json.dumps(payload)))


def part(**fields):
    message = {"type": "message", "role": "user", "content": [fields]}
    return size({"model": "m", "input": [message]}).tokens - 3


@pytest.mark.parametrize("name", COUNTED)
def test_what_codex_sends_is_never_more_than_twice_what_is_counted(name):
    for request, counted in zip(requests_of(name), COUNTED[name], strict=True):
        estimated = size(request).tokens
        assert estimated <= 2 * counted
        assert estimated >= counted // 2 or counted < 10  # a prewarm of nothing


def test_tools_and_instructions_are_what_every_turn_repeats():
    tools = [{"type": "function", "name": "f", "description": "d" * 1000}]
    found = size({"instructions": "i" * 400, "tools": tools, "input": "x" * 40})
    assert found == InputSize(items=10, fixed=100 + len(json.dumps(tools)) // 5 - 1)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("żółć", 2), ("漢字", 2)]
)
def test_text_counts_by_its_bytes(text, tokens):
    assert text_tokens(text) == tokens


def test_a_picture_counts_by_its_pixels_and_not_by_its_bytes():
    def picture(width, height, **more):
        data = base64.b64encode(png(width, height) + bytes(300_000)).decode()
        url = f"data:image/png;base64,{data}"
        return part(type="input_image", image_url=url, **more)

    assert picture(1, 1) == 1
    assert picture(1024, 1024) == 1024
    assert picture(1024, 1024, detail="high") == 1024
    assert picture(1024, 1024, detail="low") == 85
    assert picture(100_000, 100_000) == 2_000
    assert part(type="input_image", image_url="https://example.com/x.png") == 1_024
    assert part(type="input_image", image_url="data:image/png;base64,!!") == 1_024
    nested = {"url": "https://example.com/x.png", "detail": "low"}
    assert part(type="image_url", image_url=nested) == 85


def test_text_that_looks_like_a_picture_is_text():
    assert part(type="input_text", text="data:image/png;base64," + "A" * 4000) > 1_000


def test_pictures_that_tools_and_calls_gave_are_pictures():
    data = base64.b64encode(png(320, 320) + bytes(90_000)).decode()
    output = [{"type": "input_image", "image_url": f"data:image/png;base64,{data}"}]
    items = [
        {"type": "function_call_output", "call_id": "c", "output": output},
        {"type": "image_generation_call", "id": "ig_1", "result": data},
    ]
    assert size({"input": items}).tokens == 6 + 100 + 100


def test_a_recording_counts_by_its_length():
    data = base64.b64encode(wav(seconds=30)).decode()
    sound = {"data": data, "format": "wav"}
    assert part(type="input_audio", input_audio=sound) in (300, 301)


def test_documents_count_by_their_kind():
    data = base64.b64encode(b"x" * 40_000).decode()
    plain = part(type="input_file", file_data=f"data:text/plain;base64,{data}")
    assert plain == pytest.approx(10_000, rel=0.01)
    pdf = part(type="input_file", file_data=f"data:application/pdf;base64,{data}")
    assert pdf == pytest.approx(4_000, rel=0.01)


def test_encrypted_items_count_as_what_they_hide():
    item = {"type": "reasoning", "encrypted_content": "A" * 4_000, "summary": []}
    assert size({"input": [item]}).tokens == 3 + (3_000 - 650) // 4
    assert size({"input": [{"encrypted_content": "A" * 40}]}).tokens == 3


def test_ids_metadata_and_settings_are_not_read_by_a_model():
    payload = {
        "model": "m" * 100,
        "client_metadata": {"turn": "x" * 9_000},
        "prompt_cache_key": "k" * 500,
        "input": [
            {
                "id": "msg_" + "1" * 60,
                "type": "message",
                "role": "user",
                "content": "hi",
                "internal_chat_message_metadata_passthrough": {"id_of": "y" * 900},
            }
        ],
    }
    assert size(payload).tokens == 3 + 1


@pytest.mark.parametrize(
    ("payload", "tokens"),
    [
        ({"model": "gpt-image-2", "prompt": "a red circle", "size": "auto"}, 3),
        ({"model": "m", "commands": {"search_query": [{"q": "hello world"}]}}, 3),
        ({"model": "e", "input": ["some text", "more"]}, 3 + 1),
        ({"model": "e", "input": [[1, 2, 3], [4]]}, 4),
        ({"input": None}, 0),
        ({"input": {"a": True, "b": None}}, 3),
        ({"images": [{"image_url": "https://x/y"}], "prompt": "x"}, 1_025),
    ],
)
def test_other_endpoints_count_what_they_say(payload, tokens):
    assert size(payload).tokens == tokens


def test_a_form_counts_by_its_text_fields():
    assert field_tokens("prompt", b"x" * 40) == 10
    assert field_tokens("response_format", b"verbose_json") == 0


def test_more_values_than_a_conversation_has_are_counted_by_bytes():
    payload = {"input": [[]] * 60_000}
    assert payload_size(payload, 120_000).tokens == 30_000
    deep = nested = []
    for _ in range(900):
        nested.append([])
        nested = nested[0]
    assert payload_size({"tools": deep}, 4_000).tokens == 1_000
    assert payload_size({"tools": [2**70]}, 400).tokens == 100


def test_nothing_is_larger_than_the_longest_context():
    assert size({"input": "x" * 8_000_000}).tokens == LARGEST_INPUT


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda some: (
        st.lists(some)
        | st.dictionaries(
            st.sampled_from(["image_url", "result", "tools", "input", "x", "url"])
            | st.text(),
            some,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["input", "tools", "text", "image"]), values))
def test_any_payload_has_a_size(payload):
    assert 0 <= payload_size(payload, 1_000).tokens <= LARGEST_INPUT
