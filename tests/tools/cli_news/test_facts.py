"""What counts as news of a client."""

import copy
import json

import pytest

from tests.tools.cli_news.__main__ import CAPTURES, known_facts
from tests.tools.cli_news.facts import facts_of, facts_of_capture, facts_of_frame

HTTP = CAPTURES / "http_turn1_gpt-5.5_apikey.json"


def news_of(**changes):
    """What a captured request tells that no capture does, once it is changed."""
    told = {**copy.deepcopy(json.loads(HTTP.read_text())), **changes}
    facts = facts_of(told["method"], told["path"], told["headers"], told["body"])
    return facts - known_facts()


def body(**more):
    return {**json.loads(HTTP.read_text())["body"], **more}


@pytest.mark.parametrize(
    ("changes", "news"),
    [
        ({}, set()),
        ({"path": "/backend-api/codex/v1/responses?x=1"}, set()),
        (
            {"path": "/backend-api/wham/next"},
            {"path POST /backend-api/wham/next"},
        ),
        ({"headers": {"X-New": "1"}}, {"header x-new"}),
        ({"body": body(brand_new=1)}, {"turn key brand_new"}),
        (
            {"body": body(input=[{"type": "telepathy"}])},
            {"item telepathy", "item telepathy key type"},
        ),
        ({"body": body(tools=[{"type": "crystal_ball"}])}, {"tool crystal_ball"}),
        (
            {"headers": {"x-codex-turn-metadata": '{"mood": 1}'}},
            {"turn metadata mood"},
        ),
        ({"headers": {"x-codex-turn-metadata": "no JSON"}}, set()),
    ],
)
def test_a_request_s_news(changes, news):
    found = {fact for fact in news_of(**changes) if not fact.startswith("next key")}
    assert found == news


def test_a_frame_s_news():
    assert "frame response.steer" in facts_of_frame({"type": "response.steer"})
    assert facts_of_frame([]) == {"frame that is no object"}


def test_each_capture_tells_something():
    for file in CAPTURES.rglob("*.json"):
        assert facts_of_capture(file), file
