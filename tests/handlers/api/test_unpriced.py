"""Turns without a price, at a key whose limit counts cost."""

import json

import pytest

from gateway.demo.events import ScriptedTurn, usage
from tests.serving import CHAT, CODEX, V1, payload, turn_on

BUDGET = {"limits": ["cost 1/30d"]}
RATES = [{"input": 1000, "output": 1000}]
OWN = {"models": [{"match": ["gpt-5.4-mini"], "rates": RATES}]}
# No standard price: another list goes before the shipped one.
GOLD = {"match": ["gpt-5.4-mini"], "rates": [{**RATES[0], "tier": "gold"}]}


@pytest.fixture
def prices(tmp_path):
    """An owner's list, written anew by each call."""
    file = tmp_path / "prices.json"

    def write(document):
        file.write_text(json.dumps(document))
        return file

    return write


def of_mini(**more):
    return payload(model="gpt-5.4-mini", **more)


def served(model, used=None):
    return ScriptedTurn(model).text("hi").completed(used or usage(1000, 0, 0)).answer()


async def spent(serving, key):
    [limit] = (await serving.get("/v1/usage", headers=key)).json["limits"]
    return limit["current_value"]


@pytest.mark.gen_test
async def test_a_model_without_a_price_counts_as_the_dearest(serving, upstream):
    key = {"x-api-key": await serving.add_key(**BUDGET)}
    upstream.answer(served("gpt-99"))
    assert (await serving.ask(headers=key)).status == 200
    [row] = await serving.rows()
    dearest = 60 * 1000  # of the shipped standard prices
    assert row["cost_microdollars"] is None
    assert row["receipt"]["counted"] == dearest
    assert row["receipt"]["served"] == "gpt-99"
    assert await spent(serving, key) == dearest
    told = (await serving.get("/v1/usage", headers=key)).json
    assert (told["request_count"], told["unpriced_requests"]) == (1, 1)
    assert told["total_cost_usd"] == 0
    assert told["limits"][0]["unpriced_requests"] == 1


@pytest.mark.gen_test
async def test_what_used_nothing_is_not_unpriced(serving, upstream):
    key = {"x-api-key": await serving.add_key(**BUDGET)}
    answered = await serving.ask(body=payload(input=5), headers=key)
    assert answered.status == 400
    await serving.ask(headers=key)
    await serving.rows(2)
    told = (await serving.get("/v1/usage", headers=key)).json
    assert (told["request_count"], told["unpriced_requests"]) == (2, 0)


@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_an_owner_may_have_them_refused(serving, upstream, prices, path):
    await serving.restart(prices=prices({"models": [GOLD]}), unpriced="refuse")
    key = {"x-api-key": await serving.add_key(**BUDGET)}
    free = {"x-api-key": await serving.add_key("free")}
    body = of_mini()
    if path == CHAT:
        body = {"model": body["model"], "messages": [{"role": "user", "content": "x"}]}
    answered = await serving.ask(path, body, headers=key)
    assert (answered.status, answered.error["code"]) == (403, "model_not_priced")
    assert answered.error["type"] == "permission_error"
    assert "'gpt-5.4-mini' has no price here" in answered.error["message"]
    assert not upstream.of()
    assert (await serving.ask(path, body, headers=free)).status == 200


@pytest.mark.gen_test
async def test_a_key_may_say_it_for_itself(serving, prices):
    await serving.restart(prices=prices({"models": [GOLD]}))
    key = {"x-api-key": await serving.add_key(**BUDGET, unpriced="refuse")}
    answered = await serving.ask(body=of_mini(), headers=key)
    assert (answered.status, answered.error["code"]) == (403, "model_not_priced")
    await serving.change_key(unpriced=None)
    assert (await serving.ask(body=of_mini(), headers=key)).status == 200


@pytest.mark.gen_test
async def test_a_socket_is_told_by_a_frame_and_stays(serving, upstream, prices):
    await serving.restart(prices=prices({"models": [GOLD]}), unpriced="refuse")
    key = {"x-api-key": await serving.add_key(**BUDGET)}
    async with serving.socket(headers=key) as ws:
        [frame] = await turn_on(ws, of_mini())
        assert (frame["status"], frame["error"]["code"]) == (403, "model_not_priced")
        [frame] = await turn_on(ws, payload(service_tier="tin"))
        assert "'gpt-5.5' in tier 'tin' has no price here" in frame["error"]["message"]
        assert not upstream.of()
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
        gold = of_mini(service_tier="gold")
        assert (await turn_on(ws, gold))[-1]["type"] == "response.completed"


@pytest.mark.gen_test
async def test_an_owners_list_counts_and_is_read_anew_at_a_reload(
    serving, upstream, prices
):
    await serving.restart(prices=prices(OWN))
    upstream.answer(served("gpt-5.4-mini"), times=3)
    await serving.ask(body=of_mini())
    prices(
        {
            "accounts": {
                "one": [GOLD, {"match": ["*"], "rates": [{"input": 3, "output": 0}]}]
            }
        }
    )
    await serving.gateway.reload()
    await serving.ask(body=of_mini())
    prices(
        {"accounts": {"one": [{"match": ["*"], "rates": [{"input": 3, "output": 0}]}]}}
    )
    await serving.gateway.reload()
    await serving.ask(body=of_mini())
    rows = await serving.rows(3)
    assert [row["cost_microdollars"] for row in rows] == [1_000_000, None, 3_000]


@pytest.mark.gen_test
async def test_a_list_with_a_mistake_is_told_and_the_one_before_stays(serving, prices):
    file = prices(OWN)
    await serving.restart(prices=file)
    prices({"models": 5})
    await serving.gateway.reload()
    told = (await serving.get("/health/ready")).json
    mistake = "the list of prices has a mistake"
    assert told["warnings"]["prices"] == f"{mistake}: {file}: models: is a list"
    away = {"x-forwarded-for": "203.0.113.9"}
    told = (await serving.get("/health/ready", headers=away)).json
    assert told["warnings"] == {"prices": mistake}
    prices(OWN)
    await serving.gateway.reload()
    assert "prices" not in (await serving.get("/health/ready")).json["warnings"]
