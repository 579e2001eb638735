"""Prompts choose scenarios of the scripted upstream."""

import time

import aiohttp
import pytest

from gateway.demo.scenarios import DIRECTIVES, LONGEST_LIMIT
from tests.gateway.demo.client import body, client, user
from tests.serving import V1, payload

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
        used = await one.events(body("demo:usage(900; 30; 800)"))
        told = used[-1]["response"]["usage"]
        assert (told["output_tokens"], told["total_tokens"]) == (30, 930)
        assert told["input_tokens_details"] == {"cached_tokens": 800}


# Codes that end a login, a plan or a balance, as far as one turn's word can.
BRIEF = {"long": "long(1)", "pause": "pause(0.01)"}
ENDING = (
    *("account_deactivated", "refresh_token_reused", "usage_limit_reached"),
    *("insufficient_quota", "deactivated_workspace"),
)


@pytest.mark.parametrize(
    "directive", [*DIRECTIVES, *(f"failed({code})" for code in ENDING)]
)
@pytest.mark.gen_test
async def test_no_directive_takes_the_accounts_away_for_long(serving, directive):
    """Asked for twice, so that both accounts meet it, and with the largest number."""
    for _ in range(2):
        await serving.ask(V1, payload(f"demo:{BRIEF.get(directive, directive)}"))
    now = time.time()
    for name in ("one", "two"):
        health = serving.account(name).health
        until = health.until(now)
        assert str(health.status(now)) in {"active", "cooling", "limited"}
        assert until is None or until <= now + LONGEST_LIMIT


@pytest.mark.parametrize("wanted", ["3600", "nan", "-1", "1e9", "x"])
@pytest.mark.gen_test
async def test_a_limit_ends_within_a_minute_however_long_is_asked_for(upstream, wanted):
    async with (
        client(upstream) as one,
        one.post(body(f"demo:usage_limit({wanted})")) as response,
    ):
        assert response.status == 429
        error = (await response.json())["error"]
    assert 0 < error["resets_in_seconds"] <= LONGEST_LIMIT


@pytest.mark.parametrize("directive", DIRECTIVES.values(), ids=DIRECTIVES)
@pytest.mark.gen_test
async def test_each_example_is_one(upstream, directive):
    async with client(upstream) as one:
        try:
            name = directive.example.partition("(")[0]
            example = BRIEF.get(name, directive.example)
            async with one.post(body(f"demo:{example}")) as response:
                read = await response.text()
        except aiohttp.ClientError:
            read = "cut"
    assert "You said" not in read
