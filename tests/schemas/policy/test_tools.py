"""What becomes of tools: by surface, kind of account and rules."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.policy.key_policy import KeyPolicy
from schemas.policy.tools import DefaultRule, ToolPolicy, tool_policy
from schemas.reasons import first_problem
from schemas.request import load_chat_request, load_request
from schemas.surfaces import Surface

FUNCTION = {"type": "function", "name": "f", "parameters": {}}
IMAGE = {"type": "image_generation"}
SEARCH = {"type": "file_search", "vector_store_ids": ["v"]}
CODEX = [Surface.CODEX, Surface.CODEX_SOCKET]
PUBLIC = [Surface.V1, Surface.V1_SOCKET, Surface.CHAT]


def load(surface, tools, *rules):
    """A request with tools, under an owner's rules."""
    policy = KeyPolicy(tools=rules)
    if surface is Surface.CHAT:
        messages = [{"role": "user", "content": "hi"}]
        chat = {"model": "m", "messages": messages, "tools": tools}
        return load_chat_request(json.dumps(chat).encode(), policy=policy)[0]
    request = {"model": "m", "instructions": "i", "input": "hi", "tools": tools}
    return load_request(json.dumps(request).encode(), surface, policy=policy)


def sent(loaded):
    """The types of tools that go up, to ChatGPT and to accounts with a key."""
    bodies = (loaded.body_for(chatgpt_account=one)[0] for one in (True, False))
    return [[tool["type"] for tool in json.loads(body)["tools"]] for body in bodies]


def reasons(loaded):
    """Why it cannot go to ChatGPT, or to accounts with a key."""
    refusals = (loaded.refusal_by(chatgpt_account=one) for one in (True, False))
    return [refusal and (refusal.param, refusal.reason) for refusal in refusals]


def refusal(surface, tools, *rules):
    with pytest.raises(ValidationError) as caught:
        load(surface, tools, *rules)
    problem = first_problem(caught.value)
    return problem.param, problem.reason


@pytest.mark.parametrize("surface", CODEX)
def test_by_default_codex_loses_image_generation(surface):
    loaded = load(surface, [IMAGE, FUNCTION])
    assert sent(loaded) == [["function"], ["function"]]
    assert loaded.changes.count("image_generation tool dropped") == 1
    assert reasons(loaded) == [None, None]


@pytest.mark.parametrize("surface", PUBLIC)
def test_by_default_the_public_api_refuses_it(surface):
    assert refusal(surface, [FUNCTION, IMAGE]) == (
        "tools",
        "tools[1].type image_generation is not available here",
    )


def test_chat_names_the_place_in_what_the_client_sent():
    nameless = {"type": "mcp", "server_label": "x"}
    assert refusal(Surface.CHAT, [nameless, SEARCH])[1].startswith("tools[1].type ")
    rule = DefaultRule("pass", "file_search", accounts="api_key")
    (_, reason), _ = reasons(load(Surface.CHAT, [nameless, SEARCH], rule))
    assert reason.startswith("tools[1].type ")


@pytest.mark.parametrize("surface", [*CODEX, *PUBLIC])
def test_a_rule_of_the_owner_goes_before_the_defaults(surface):
    rule = DefaultRule("pass", "file_search", accounts="api_key")
    loaded = load(surface, [FUNCTION, SEARCH], rule)
    assert sent(loaded)[1] == ["function", "file_search"]
    needs = "tools[1].type file_search needs an account with an API key"
    assert reasons(loaded) == [("tools", needs), None]


def test_kinds_of_accounts_may_get_different_tools():
    rule = DefaultRule("pass", "image_generation", "codex", "api_key")
    loaded = load(Surface.CODEX, [IMAGE, FUNCTION], rule)
    assert sent(loaded) == [["function"], ["image_generation", "function"]]
    assert loaded.body_for(chatgpt_account=True)[1][-1] == (
        "image_generation tool dropped"
    )
    assert (
        "image_generation tool dropped"
        not in (loaded.body_for(chatgpt_account=False)[1])
    )
    other = DefaultRule("strip", "web_search", accounts="api_key")
    loaded = load(Surface.V1, [{"type": "web_search_preview"}, FUNCTION], other)
    assert sent(loaded) == [["web_search", "function"], ["function"]]


def test_the_last_rule_that_matches_decides():
    rules = [DefaultRule("refuse", "mcp*"), DefaultRule("pass", "mcp_local")]
    loaded = load(Surface.V1, [{"type": "mcp_local"}], *rules)
    assert sent(loaded) == [["mcp_local"]] * 2
    assert refusal(Surface.V1, [{"type": "mcp_local"}], *reversed(rules)) == (
        "tools",
        "tools[0].type mcp_local is not available here",
    )
    only_codex = DefaultRule("refuse", "mcp", surface="codex")
    assert sent(load(Surface.V1, [{"type": "mcp"}], only_codex)) == [["mcp"]] * 2


@pytest.mark.parametrize("surface", [*CODEX, *PUBLIC])
def test_types_that_nothing_knows_pass_and_are_told_of(surface):
    unknown = {"type": "weather_2027", "place": "x"}
    loaded = load(surface, [unknown, FUNCTION, {"type": "mcp"}, unknown])
    types = ["weather_2027", "function", "mcp", "weather_2027"]
    assert sent(loaded) == [types, types]
    assert loaded.new_shapes == ("weather_2027",)


def test_choices_are_renamed_as_the_tools_are():
    def chosen(choice):
        request = {"model": "m", "input": "hi", "tool_choice": choice}
        loaded = load_request(json.dumps(request).encode(), Surface.V1)
        is_told = "tool_choice web_search_preview renamed" in loaded.changes
        return json.loads(loaded.body_for(chatgpt_account=True)[0])[
            "tool_choice"
        ], is_told

    old, new = {"type": "web_search_preview"}, {"type": "web_search"}
    allowed = {"type": "allowed_tools", "mode": "auto"}
    for choice, sent in (
        (old, new),
        ({**allowed, "tools": [FUNCTION, old]}, {**allowed, "tools": [FUNCTION, new]}),
    ):
        assert chosen(choice) == (sent, True)
    for same in (new, "auto", {**allowed, "tools": [new, 5]}, {**allowed, "tools": 5}):
        assert chosen(same) == (same, False)


def test_so_much_is_told_of_unknown_types():
    tools = [{"type": f"t{n:03}" + "x" * 100} for n in range(50)]
    rule = DefaultRule("pass", "t000*")
    assert load(Surface.V1, tools, rule).new_shapes == tuple(
        f"t{n:03}" + "x" * 60 for n in range(1, 9)
    )


def test_chat_leaves_out_functions_without_a_name():
    nameless = [{"type": "function"}, {"type": "custom", "custom": {"name": ""}}, {}, 1]
    loaded = load(Surface.CHAT, [*nameless, FUNCTION])
    assert sent(loaded) == [["function"], ["function"]]
    assert "tools without a name dropped" in loaded.changes


def test_tools_that_no_one_kind_of_account_may_get_together_are_refused():
    rules = [
        DefaultRule("pass", "file_search", accounts="api_key"),
        DefaultRule("refuse", "function", accounts="api_key"),
    ]
    param, reason = refusal(Surface.V1, [FUNCTION, SEARCH], *rules)
    assert param == "tools"
    assert "needs a" in reason


def test_tools_inside_of_items_and_namespaces_pass():
    extra = {"type": "additional_tools", "tools": [IMAGE]}
    space = {"type": "namespace", "name": "n", "tools": [IMAGE]}
    request = {"model": "m", "input": [extra], "tools": [space], "store": False}
    raw = json.dumps({**request, "stream": True}).encode()
    body, changes = load_request(raw, Surface.CODEX).body_for(chatgpt_account=True)
    assert (body, changes) == (raw, ())


@given(st.lists(st.text(max_size=5) | st.none(), max_size=300))
def test_types_of_any_number_pass_twice_alike(types):
    policy = tool_policy(Surface.V1)
    tools = [{"type": kind} for kind in types]
    for _ in "twice":
        assert policy.apply(tools) == (tools, [])
        assert policy.problems(tools) == {}


def test_what_is_done_with_types_is_remembered_within_bounds():
    policy = ToolPolicy(Surface.V1, (DefaultRule("strip", "t*"),))
    for number in range(300):
        tool = {"type": f"t{number}"}
        assert policy.apply([tool]) == ([], [f"t{number} tool dropped"])
    assert policy.apply([{"type": "t" * 1_001}])[0] == []
    assert len(policy._known) == 256
    assert {frozenset({"t0"}), frozenset({"t299"})} & policy._known.keys() == {
        frozenset({"t299"})
    }
