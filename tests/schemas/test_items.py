"""Input items that other clients leave in a state upstream does not take."""

import pytest

from schemas.items import first_user_text, item_problem, normalize_items


def one(item):
    items, _ = normalize_items([item])
    return items[0]


def test_items_that_need_nothing_are_the_same_objects():
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "t"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text"}]},
        {"type": "function_call", "call_id": "c", "arguments": '{"tool_calls":[1]}'},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "x"}]},
        {"type": "reasoning", "encrypted_content": "e", "content": None},
        {"type": "custom_tool_call", "role": "assistant", "content": "x"},
        "text",
        None,
    ]
    same, changes = normalize_items(items)
    assert same is items
    assert changes == []


def test_interleaved_reasoning_is_dropped_from_items_and_parts():
    item = {
        "role": "user",
        "tool_calls": [],
        "content": [
            {"type": "reasoning_details", "text": "x"},
            {"type": "input_text", "text": "t", "reasoning_content": "z"},
        ],
    }
    assert one(item) == {
        "role": "user",
        "content": [{"type": "input_text", "text": "t"}],
    }


@pytest.mark.parametrize(
    "key", ["reasoning_content", "reasoning_details", "tool_calls", "function_call"]
)
def test_one_interleaved_key_is_enough(key):
    part = {"type": "output_text", "text": "t"}
    for clean in (
        {"role": "user", "content": "t"},
        {"role": "assistant", "content": [part]},
        {"role": "assistant", "content": None},
        {"type": "function_call", "call_id": "c"},
    ):
        assert one(clean | {key: None}) == clean
    message = {"role": "assistant", "content": [part]}
    assert one({"role": "assistant", "content": [part | {key: 1}]}) == message


@pytest.mark.parametrize(
    "content",
    [
        "t",
        {"text": "t"},
        {"type": "input_text", "text": "t"},
        [{"type": "text", "text": "t"}],
        ["t"],
        [{"type": "refusal", "refusal": "t"}],
    ],
)
def test_assistant_text_becomes_output_text(content):
    spoken = [{"type": "output_text", "text": "t"}]
    assert one({"role": "assistant", "content": content})["content"] == spoken


def test_assistant_parts_of_other_kinds_stay():
    image = {"type": "input_image", "image_url": "u"}
    done = {"type": "output_text", "text": "a", "annotations": [1]}
    text = {"type": "text", "text": "b", "extra": 1}
    content = one({"role": "assistant", "content": [image, done, text]})["content"]
    assert content == [image, done, text | {"type": "output_text"}]


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({"content": "r"}, "r"),
        ({"content": None}, ""),
        ({}, ""),
        ({"content": "x", "output": "o"}, "o"),
        ({"content": "x", "output": None}, "x"),
        ({"content": [{"type": "text", "text": "a"}, "b", {"refusal": "c"}]}, "abc"),
        ({"content": {"text": "a"}}, "a"),
        ({"content": {"rows": [1, 2]}}, '{"rows":[1,2]}'),
        (
            {"content": [{"text": "a"}, {"type": "image"}]},
            '[{"text":"a"},{"type":"image"}]',
        ),
        ({"output": 2**70}, str(2**70)),
        (
            {"content": ["see", {"type": "image_url", "image_url": {"url": "u"}}]},
            [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "u"},
            ],
        ),
        (
            {"output": {"type": "input_file", "file_url": "u"}},
            [{"type": "input_file", "file_url": "u"}],
        ),
    ],
)
@pytest.mark.parametrize("name", ["tool_call_id", "toolCallId", "call_id"])
def test_a_tool_message_becomes_the_output_of_its_call(name, fields, output):
    assert one({"role": "tool", name: "c", **fields}) == {
        "type": "function_call_output",
        "call_id": "c",
        "output": output,
    }


@pytest.mark.parametrize(
    "item",
    [
        {"role": "tool", "content": "x"},
        {"role": "tool", "tool_call_id": "", "content": "x"},
        {"role": "tool", "tool_call_id": 5},
        {"role": "tool", "call_id": "c", "content": [{"type": "image_url"}]},
        {
            "role": "tool",
            "call_id": "c",
            "content": [{"type": "file", "file": {"file_id": "f"}}],
        },
        {"type": "input_file", "file_id": "f"},
        {"role": "user", "content": [{"type": "input_file", "file_id": "f"}]},
    ],
)
def test_what_cannot_be_repaired_is_a_problem(item):
    items, changes = normalize_items([item])
    assert changes == []
    assert item_problem(items) is not None


@pytest.mark.parametrize(
    "item",
    [
        {"type": "input_file", "file_id": ""},
        {"role": "user", "content": [{"type": "input_file", "file_url": "u"}]},
        {"role": "user", "content": [{"type": "input_image", "file_id": "f"}]},
        {"role": "critic", "content": 5},
    ],
)
def test_other_items_are_no_problem(item):
    assert item_problem([item]) is None


def test_too_deep_a_tool_output_is_a_problem_not_a_crash():
    deep = []
    for _ in range(5000):
        deep = [deep]
    items, _ = normalize_items([{"role": "tool", "call_id": "c", "output": deep}])
    assert item_problem(items) is not None


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([{"role": "user", "content": "a"}], "a"),
        ([{"role": "user", "content": [{"type": "x"}, {"text": "b"}]}], "b"),
        ([{"role": "assistant", "content": "a"}], ""),
        ([{"role": "user", "content": 1}, {"role": "user", "content": "c"}], ""),
        ("text", ""),
    ],
)
def test_the_first_user_text(items, text):
    assert first_user_text(items) == text


@pytest.mark.parametrize(
    "kind", ["reasoning", "reasoning_content", "reasoning_details"]
)
@pytest.mark.parametrize("role", ["user", "assistant", "developer"])
def test_a_message_of_nothing_but_reasoning_is_left_empty(role, kind):
    item = {"role": role, "content": [{"type": kind, "text": "hm"}]}
    items, changes = normalize_items([item])
    assert items == [{"role": role, "content": []}]
    assert changes[0] == "interleaved reasoning dropped"


@pytest.mark.parametrize("refusal", [{}, {"refusal": None}, {"refusal": 5}])
def test_a_refusal_without_words_stays_as_it_is(refusal):
    part = {"type": "refusal", **refusal}
    spoken = {"type": "text", "text": "t"}
    content = one({"role": "assistant", "content": [part, spoken]})["content"]
    assert content == [part, spoken | {"type": "output_text"}]


def test_the_role_of_a_tool_counts_in_messages_only():
    item = {"type": "web_search_call", "role": "tool", "call_id": "c", "output": "x"}
    items, changes = normalize_items([item])
    assert items[0] is item
    assert changes == []
    assert normalize_items([item | {"type": "message"}])[1] == [
        "tool messages made function_call_output"
    ]


def test_what_is_clean_beside_what_is_not_is_the_same_object():
    clean, odd = {"role": "user", "content": "t"}, {"role": "user", "tool_calls": []}
    items, changes = normalize_items([clean, odd, clean])
    assert items == [clean, {"role": "user"}, clean]
    assert items[0] is items[2] is clean
    assert changes == ["interleaved reasoning dropped"]
