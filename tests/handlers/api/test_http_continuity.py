"""A conversation stays where it is, and what happens when it cannot."""

import base64
import json

import pytest

from gateway.demo.events import ScriptedTurn
from gateway.store.log.conversations import conversation_page
from tests.serving import CODEX, accounts, payload, turn_on, user

KEYS = [
    {"session-id": "s-1"},
    {"session_id": "s-1"},
    {"thread-id": "t-1"},
    {"thread_id": "t-1"},
    {},  # the prompt_cache_key alone
]


async def settle_on_two(serving, upstream, headers=None, body=None):
    """Begin a conversation on the second account."""
    serving.limit("one", 30)
    answered = await serving.ask(body=body or payload(), headers=headers or {})
    assert answered.status == 200
    serving.account("one").health.lift_limit()
    assert accounts(upstream)[-1] == "two"
    return answered


@pytest.mark.parametrize("headers", KEYS)
@pytest.mark.gen_test
async def test_a_conversation_stays_on_its_account(serving, upstream, headers):
    await settle_on_two(serving, upstream, headers)
    for _ in range(3):
        await serving.ask(headers=headers)
    assert accounts(upstream)[-3:] == ["two"] * 3
    other = payload(prompt_cache_key="another")
    await serving.ask(body=other, headers=dict.fromkeys(headers, "other"))
    assert accounts(upstream)[-1] == "one"
    rows = await serving.rows(5)
    assert len({row["conversation"] for row in rows}) == 2
    assert "s-1" not in json.dumps([row["conversation"] for row in rows])


@pytest.mark.gen_test
async def test_it_stays_there_over_a_restart(serving, upstream):
    await settle_on_two(serving, upstream)
    await serving.restart()
    await serving.ask()
    assert accounts(upstream)[-1] == "two"
    rows = await serving.rows(2)
    assert rows[-1]["receipt"]["reason"] == "cache"


@pytest.mark.gen_test
async def test_one_tenant_does_not_steer_into_another_s_account(serving, upstream):
    first = {"x-api-key": await serving.add_key("first")}
    second = {"x-api-key": await serving.add_key("second")}
    answered = await settle_on_two(serving, upstream, first | {"session-id": "s"})
    state = answered.headers["x-codex-turn-state"]
    stolen = {"session-id": "s", "x-codex-turn-state": state}
    await serving.ask(headers=second | stolen)
    assert accounts(upstream)[-1] == "one"


@pytest.mark.gen_test
async def test_a_passing_outage_is_stood_in_for_and_then_it_goes_home(
    serving, upstream
):
    await serving.ask()
    serving.limit("one", 30)
    await serving.ask()
    serving.account("one").health.lift_limit()
    await serving.ask()
    assert accounts(upstream) == ["one", "two", "one"]
    rows = await serving.rows(3)
    switches = [
        (row["receipt"]["switched_from"], row["receipt"]["switch_cause"])
        for row in rows
    ]
    assert switches == [(None, None), ("one", "limited"), ("two", "returned")]
    [told] = await serving.gateway.store.page(conversation_page)
    assert (told["turns"], told["switches"], len(told["accounts"])) == (3, 2, 2)
    # What the other account had read is read, and paid, anew.
    fresh = [row["input_tokens"] - row["cached_tokens"] for row in rows[1:]]
    assert told["repaid_tokens"] == sum(fresh) > 0
    assert told["repaid_microdollars"] > 0


@pytest.mark.gen_test
async def test_a_long_limit_moves_it_for_good(serving, upstream):
    await serving.ask()
    serving.limit("one", 7_200)
    await serving.ask()
    serving.account("one").health.lift_limit()
    await serving.ask()
    assert accounts(upstream) == ["one", "two", "two"]


@pytest.mark.gen_test
async def test_a_previous_response_binds_to_its_owner(serving, upstream):
    upstream.lenient = True  # over HTTP ChatGPT takes no anchors
    answered = await settle_on_two(serving, upstream)
    anchored = payload(
        prompt_cache_key="another",
        previous_response_id=answered.events[-1]["response"]["id"],
    )
    assert (await serving.ask(body=anchored)).status == 200
    assert accounts(upstream)[-1] == "two"


async def reasoned(serving):
    """A turn with encrypted reasoning; its items, as the client sends them back."""
    answered = await serving.ask(body=payload("demo:reasoning(deep)"))
    return answered.events[-1]["response"]["output"]


@pytest.mark.gen_test
async def test_reasoning_of_a_lost_account_is_dropped_and_noted(serving, upstream):
    history = await reasoned(serving)
    assert [item["type"] for item in history] == ["reasoning", "message"]
    await serving.pause("one")
    items = [user("demo:say(x)"), *history, user("go on")]
    answered = await serving.ask(body=payload(input=items))
    assert answered.status == 200
    assert accounts(upstream) == ["one", "two"]
    assert upstream.of()[1].payload["input"] == [items[0], history[1], items[-1]]
    _, row = await serving.rows(2)
    assert any("reasoning" in change for change in row["changes"])


@pytest.mark.gen_test
async def test_reasoning_stays_while_its_account_is_there(serving, upstream):
    history = await reasoned(serving)
    items = [*history, user("go on")]
    await serving.ask(body=payload(input=items))
    assert upstream.of()[1].payload["input"] == items
    assert accounts(upstream) == ["one", "one"]


@pytest.mark.gen_test
async def test_reasoning_that_only_upstream_knows_for_foreign_is_dropped(
    serving, upstream
):
    """After a restart the gateway does not know whose it was."""
    history = await reasoned(serving)
    await serving.restart()
    await serving.pause("one")
    items = [*history, user("go on")]
    answered = await serving.ask(body=payload(input=items))
    assert answered.status == 200
    assert accounts(upstream) == ["one", "two", "two"]
    assert upstream.of()[2].payload["input"] == items[1:]
    _, row = await serving.rows(2)
    attempts = row["receipt"]["attempts"]
    assert attempts[0]["then"] == "again without encrypted reasoning"


def compaction(account):
    sealed = base64.urlsafe_b64encode(f"fake-sealed:{account}:summary:1".encode())
    return {"type": "compaction", "encrypted_content": sealed.decode()}


async def compacted(serving):
    trigger = payload(input=[user("long talk"), {"type": "compaction_trigger"}])
    answered = await serving.ask(body=trigger)
    (item,) = answered.events[-1]["response"]["output"]
    return item


@pytest.mark.gen_test
async def test_a_compacted_history_pins_to_its_account(serving, upstream):
    item = await compacted(serving)
    serving.limit("one", 3_600)
    body = payload(input=[item, user("go on")])
    answered = await serving.ask(body=body)
    assert answered.status == 429
    assert answered.error["code"] == "usage_limit_reached"
    serving.account("one").health.lift_limit()
    assert (await serving.ask(body=body)).status == 200
    assert accounts(upstream)[-1] == "one"


@pytest.mark.gen_test
async def test_a_compacted_history_of_a_lost_account_is_a_clear_error(
    serving, upstream
):
    item = await compacted(serving)
    await serving.pause("one")
    answered = await serving.ask(body=payload(input=[item, user("go on")]))
    assert answered.status == 400
    assert answered.error["code"] == "invalid_encrypted_content"
    assert "no longer available" in answered.error["message"]
    assert len(upstream.of()) == 1


@pytest.mark.gen_test
async def test_a_compacted_history_upstream_cannot_read_is_its_own_refusal(
    serving, upstream
):
    body = payload(input=[compaction("elsewhere"), user("go on")])
    answered = await serving.ask(body=body)
    assert answered.status == 400
    assert answered.error["code"] == "invalid_encrypted_content"
    assert len(upstream.of()) == 1


@pytest.mark.gen_test
async def test_a_compaction_by_its_own_route_pins_too(serving, upstream):
    body = payload()
    del body["stream"], body["store"]
    answered = await serving.ask(CODEX + "/compact", body)
    *_, item = answered.json["output"]
    await serving.pause("one")
    answered = await serving.ask(body=payload(input=[item, user("go on")]))
    assert answered.error["code"] == "invalid_encrypted_content"


@pytest.mark.gen_test
async def test_a_socket_s_account_gone_between_turns_loses_the_anchor(
    serving, upstream
):
    async with serving.socket() as ws:
        first = await turn_on(ws)
        await serving.pause("one")
        anchor = first[-1]["response"]["id"]
        (frame,) = await turn_on(ws, payload(previous_response_id=anchor))
        assert frame["status"] == 400
        assert frame["error"]["code"] == "previous_response_not_found"
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    assert accounts(upstream) == ["one", "two"]


@pytest.mark.gen_test
async def test_reasoning_moves_on_sockets_as_well(serving, upstream):
    async with serving.socket() as ws:
        frames = await turn_on(ws, payload("demo:reasoning(deep)"))
        history = frames[-1]["response"]["output"]
        await serving.pause("one")
        frames = await turn_on(ws, payload(input=[*history, user("go on")]))
        assert frames[-1]["type"] == "response.completed"
    assert accounts(upstream) == ["one", "two"]
    sent = upstream.of()[1].payload["input"]
    assert "reasoning" not in [item["type"] for item in sent]


@pytest.mark.gen_test
async def test_the_seal_of_a_streamed_item_is_remembered_whatever_its_spacing(
    serving, upstream
):
    item = {"type": "reasoning", "summary": [], "encrypted_content": "sealed-by-one"}
    done = {"item": item, "type": "response.output_item.done", "output_index": 0}
    turn = ScriptedTurn().text("x").completed()
    spaced = f"data:{json.dumps(done, indent=1)}".replace("\n", "\ndata:")
    upstream.answer(*turn.events[:4], f"{spaced}\n\n".encode(), *turn.events[4:])
    await serving.ask()
    await serving.pause("one")
    await serving.ask(body=payload(input=[item, user("x")]))
    assert upstream.of()[1].payload["input"] == [user("x")]
