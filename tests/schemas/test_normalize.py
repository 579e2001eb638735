"""What normalising changes about a payload, rule by rule, and what it never does."""

import copy

import pytest
from marshmallow import ValidationError

from schemas.normalize import normalize_responses_request_payload
from schemas.request import first_bad_field
from schemas.responses import ResponsesSchema
from schemas.surfaces import Surface

FUNCTION = {"type": "function", "name": "look", "parameters": {"type": "object"}}
IMAGE = {"type": "image_generation", "output_format": "png"}
CODEX_SURFACES = [Surface.CODEX, Surface.CODEX_SOCKET]
PUBLIC_SURFACES = [Surface.V1, Surface.V1_SOCKET, Surface.CHAT]


def user(text="hi"):
    return {"role": "user", "content": [{"type": "input_text", "text": text}]}


def complete(**fields):
    """A payload that no rule has anything to do with, on any surface."""
    return {
        "model": "m",
        "instructions": "be brief",
        "input": [user()],
        "store": False,
        "stream": True,
        "prompt_cache_key": "k",
        **fields,
    }


def changed(payload, surface=Surface.CODEX, **options):
    return normalize_responses_request_payload(payload, surface, **options)[0]


def changes(payload, surface=Surface.CODEX, **options):
    return normalize_responses_request_payload(payload, surface, **options)[1]


@pytest.mark.parametrize("surface", CODEX_SURFACES)
def test_normalize_responses_request_payload_strips_backend_codex_image_generation_tools(  # noqa: E501
    surface,
):
    payload = complete(tools=[IMAGE, FUNCTION, IMAGE], tool_choice=IMAGE)
    before = copy.deepcopy(payload)
    result, what = normalize_responses_request_payload(payload, surface)
    assert result == complete(tools=[FUNCTION], tool_choice=IMAGE)
    assert what == ["image_generation tool dropped"]
    assert payload == before
    assert ResponsesSchema(surface).load(payload)["tools"] == [FUNCTION]


@pytest.mark.parametrize("surface", PUBLIC_SURFACES)
def test_normalize_responses_request_payload_without_codex_compat_still_rejects_image_generation(  # noqa: E501
    surface,
):
    payload = complete(tools=[IMAGE])
    assert normalize_responses_request_payload(payload, surface) == (payload, [])
    with pytest.raises(ValidationError) as caught:
        ResponsesSchema(surface).load(payload)
    assert first_bad_field(caught.value) == "tools"


def test_tools_stay_even_when_all_of_them_are_dropped():
    assert changed(complete(tools=[IMAGE]))["tools"] == []


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "IMAGE_GENERATION"},
        {"type": "image_generation_2"},
        {"type": ["image_generation"]},
        {"type": "namespace", "name": "n", "tools": [IMAGE]},
        "image_generation",
        None,
    ],
)
def test_only_an_exact_top_level_image_tool_is_dropped(tool):
    assert changes(complete(tools=[tool])) == []


@pytest.mark.parametrize("surface", list(Surface))
def test_a_complete_payload_is_left_alone(surface):
    assert normalize_responses_request_payload(complete(), surface) == (complete(), [])


@pytest.mark.parametrize("surface", list(Surface))
def test_web_search_preview_gets_its_present_name(surface):
    payload = complete(
        tools=[{"type": "web_search_preview", "size": 1}, FUNCTION],
        tool_choice={"type": "web_search_preview"},
    )
    result = changed(payload, surface)
    assert result["tools"] == [{"type": "web_search", "size": 1}, FUNCTION]
    assert result["tool_choice"] == {"type": "web_search"}


@pytest.mark.parametrize("surface", list(Surface))
def test_text_input_becomes_one_user_message(surface):
    assert changed(complete(input=""), surface)["input"] == [user("")]


@pytest.mark.parametrize(
    ("surface", "added"), [*[(s, False) for s in CODEX_SURFACES], (Surface.V1, True)]
)
def test_instructions_are_added_for_public_clients_only(surface, added):
    payload = complete()
    del payload["instructions"]
    assert ("instructions" in changed(payload, surface)) is added


@pytest.mark.parametrize(
    "item",
    [
        {"role": "developer", "content": "d"},
        {"type": "message", "role": "system", "content": []},
        {"type": "additional_tools", "role": "developer", "tools": []},
    ],
)
@pytest.mark.parametrize("surface", PUBLIC_SURFACES)
def test_instructions_are_not_added_to_what_carries_its_own(surface, item):
    payload = complete(input=[item, user()])
    del payload["instructions"]
    assert changes(payload, surface) == []


@pytest.mark.parametrize("extra", [{"previous_response_id": "r"}, {"generate": False}])
def test_instructions_are_not_added_to_a_frame_that_is_part_of_a_conversation(extra):
    payload = complete(**extra)
    del payload["instructions"]
    assert changes(payload, Surface.V1_SOCKET) == []


def test_null_instructions_count_as_none():
    payload = complete(instructions=None)
    assert changed(payload, Surface.V1)["instructions"] == ""
    assert changed(payload, Surface.CODEX)["instructions"] is None


@pytest.mark.parametrize("surface", list(Surface))
def test_store_is_added_as_false(surface):
    payload = complete()
    del payload["store"]
    assert changed(payload, surface)["store"] is False


def test_null_store_is_false_except_on_codex_over_http():
    assert changes(complete(store=None), Surface.CODEX) == []
    for surface in set(Surface) - {Surface.CODEX}:
        assert changed(complete(store=None), surface)["store"] is False


@pytest.mark.parametrize("stream", [None, False])
def test_stream_is_forced_over_http_only(stream):
    for surface in Surface:
        expected = stream if surface.is_socket else True
        assert changed(complete(stream=stream), surface)["stream"] is expected


@pytest.mark.parametrize("tier", ["fast", " Fast ", "FAST\n"])
def test_the_fast_tier_is_called_priority(tier):
    assert changed(complete(service_tier=tier))["service_tier"] == "priority"


@pytest.mark.parametrize("tier", ["flex", " priority", "faster", 1, None])
def test_other_tiers_stay(tier):
    assert changes(complete(service_tier=tier)) == []


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"reasoningEffort": "high"}, {"reasoning": {"effort": "high"}}),
        (
            {"reasoningEffort": "high", "reasoning": {"effort": "low", "x": 1}},
            {"reasoning": {"effort": "low", "x": 1}},
        ),
        (
            {"reasoningSummary": "auto", "reasoning": {"effort": "low"}},
            {"reasoning": {"effort": "low", "summary": "auto"}},
        ),
        ({"textVerbosity": "low", "verbosity": "high"}, {"text": {"verbosity": "low"}}),
        (
            {"verbosity": "high", "text": {"format": {"type": "text"}}},
            {"text": {"format": {"type": "text"}, "verbosity": "high"}},
        ),
        ({"promptCacheKey": "p"}, {}),
        ({"promptCacheKey": "p", "prompt_cache_key": None}, {"prompt_cache_key": "p"}),
        ({"reasoningEffort": None}, {}),
    ],
)
def test_aliases_give_way_to_explicit_values(sent, expected):
    assert changed(complete(**sent)) == complete(**expected)


def test_a_blank_previous_response_id_is_dropped():
    assert changed(complete(previous_response_id=" \t")) == complete()
    assert changes(complete(previous_response_id=" r ")) == []


def test_cache_key_is_derived_from_what_a_conversation_begins_with():
    def key(**fields):
        payload = complete(**fields)
        del payload["prompt_cache_key"]
        return changed(payload, Surface.V1).get("prompt_cache_key")

    first = key()
    assert first == key(input=[user(), user("more")]) == key(temperature=1)
    assert first.startswith("std-")
    others = {
        key(model="gpt-codex"),
        key(input=[user("ho")]),
        key(instructions="x"),
        key(model="mini"),
    }
    assert len(others | {first}) == 5
    assert key(input=[], instructions="") is None
    assert key(previous_response_id="r") is None


@pytest.mark.parametrize("surface", CODEX_SURFACES)
def test_cache_key_is_not_derived_for_codex(surface):
    payload = complete()
    del payload["prompt_cache_key"]
    assert changes(payload, surface) == []


def test_a_compaction_is_neither_stored_nor_streamed():
    assert "store" not in changed(complete(), compact=True)
    assert "stream" not in changed(complete(), compact=True)
    bare = {"model": "m", "instructions": "", "input": []}
    assert changes(bare, compact=True) == []
    wrong = complete(store=True, stream="yes")
    assert changed(wrong, compact=True) == wrong


@pytest.mark.parametrize(
    "surface", [Surface.V1, Surface.V1_SOCKET, Surface.CODEX_SOCKET]
)
def test_messages_in_place_of_input_keep_the_word_json_in_it(surface):
    told = {"role": "system", "content": "Answer in JSON."}
    payload = complete(messages=[told, {"role": "user", "content": "hi"}], input=[])
    text = {"format": {"type": "json_object"}}
    as_json, _ = normalize_responses_request_payload({**payload, "text": text}, surface)
    assert [item["role"] for item in as_json["input"]] == ["developer", "user"]
    plain, _ = normalize_responses_request_payload(payload, surface)
    assert plain["input"] == [user()]
    assert plain["instructions"].endswith("Answer in JSON.")
