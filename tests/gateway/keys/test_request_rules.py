"""What an owner sets for requests, as text and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.keys.request_rules import (
    NO_RULES,
    ModelAlias,
    RequestRules,
    ToolRule,
    check_aliases,
    parse_alias,
    parse_tool_rule,
)

RULES = st.builds(
    ToolRule,
    st.sampled_from(["pass", "strip", "refuse"]),
    st.from_regex(r"[a-z0-9_.*-]{1,64}", fullmatch=True),
    st.sampled_from([None, "codex", "v1"]),
    st.sampled_from([None, "chatgpt", "api_key"]),
)


@given(RULES)
def test_a_rule_is_read_as_it_is_written(rule):
    assert parse_tool_rule(str(rule)) == rule
    assert parse_tool_rule(f"  {rule} ") == rule


@pytest.mark.parametrize(
    "text",
    [
        *["", "pass", "file_search", "drop file_search", "pass file search"],
        *["pass a surface=v2", "pass a accounts=plus", "pass a accounts=api_key x"],
        *["pass a surface=v1 surface=codex", "pass " + "a" * 65, "pass a\nrefuse b"],
    ],
)
def test_what_is_no_rule_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="as in 'pass file_search accounts=api_key'"):
        parse_tool_rule(text)


@given(st.text(max_size=40))
def test_any_text_is_a_rule_or_a_clear_error(text):
    try:
        rule = parse_tool_rule(text)
    except ValueError:
        return
    assert parse_tool_rule(str(rule)) == rule


def test_a_key_s_rules_come_after_everybody_s():
    everybody = RequestRules(tools=(ToolRule("refuse", "a"),))
    own = RequestRules(tools=(ToolRule("pass", "a"),))
    assert everybody.with_those_of(own).tools == everybody.tools + own.tools
    assert everybody.with_those_of(NO_RULES) is everybody


@pytest.mark.parametrize(
    "text", ["", "a", "=a", "a=", "a=a", "a=b=c", "a b=c", "a\n=b", "a" * 65 + "=b"]
)
def test_what_is_no_alias_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="write NAME=MODEL"):
        parse_alias(text)


def test_an_alias_is_read_as_it_is_written():
    alias = parse_alias(" openai/gpt-5.4:nano = gpt-5.4 ")
    assert alias == ModelAlias("openai/gpt-5.4:nano", "gpt-5.4")
    assert parse_alias(str(alias)) == alias


@pytest.mark.parametrize("texts", [["a=b", "a=c"], ["a=b", "b=c"]])
def test_aliases_are_told_apart_and_stand_for_no_other(texts):
    with pytest.raises(ValueError, match="alias"):
        check_aliases(texts)
    check_aliases(["a=c", "b=c"])


def test_aliases_stand_for_none_of_those_beside_them():
    beside = [ModelAlias("a", "x"), ModelAlias("c", "d"), ModelAlias("e", "c")]
    check_aliases(["a=b", "f=b"], beside)  # others' are each others' business
    for text in ("b=a", "x=b"):
        with pytest.raises(ValueError, match="is an alias, and"):
            check_aliases([text], beside)


def test_a_key_s_alias_goes_before_everybody_s():
    everybody = RequestRules(aliases=(ModelAlias("a", "x"), ModelAlias("b", "y")))
    own = RequestRules(aliases=(ModelAlias("a", "z"),))
    assert everybody.with_those_of(own).models == {"a": "z", "b": "y"}
