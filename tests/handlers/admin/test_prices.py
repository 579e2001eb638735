"""/api/prices: what counts, what is wrong, counting again."""

import json

import pytest

from gateway.demo.events import ScriptedTurn, usage
from tests.serving import payload

pytestmark = pytest.mark.gen_test
RATES = [{"input": 3, "output": 0}]


@pytest.fixture
def prices(tmp_path):
    file = tmp_path / "prices.json"

    def write(document):
        file.write_text(json.dumps(document))
        return file

    return write


async def test_the_prices_that_count(operator):
    told = await operator.get("/api/prices")
    assert (told["file"], told["problem"]) == (None, None)
    assert len(told["prices"]) > 100
    told = await operator.get("/api/prices?model=gpt-5.4-mini")
    first = told["prices"][0]
    assert (first["tier"], first["input"], first["cached"]) == ("standard", 0.75, 0.075)
    assert "genai-prices" in first["source"]
    answered = await operator.call("GET", "/api/prices?modell=x")
    assert answered.status == 400


async def test_an_owners_list_is_read_again_when_told(serving, operator, prices):
    file = prices({"models": [{"match": ["new"], "rates": RATES}]})
    await serving.restart(prices=file)
    prices({"models": []})
    shown = await operator.post("/api/prices/reload")
    assert (shown.status, shown.json["file"]) == (200, str(file))
    assert (await operator.get("/api/prices?model=new"))["prices"] == []
    prices({"models": 1})
    shown = await operator.post("/api/prices/reload")
    assert (shown.status, shown.error["code"]) == (400, "invalid_prices")
    assert shown.error["message"] == f"{file}: models: is a list"
    assert (await operator.get("/api/prices"))[
        "problem"
    ] == f"{file}: models: is a list"


async def test_what_was_logged_without_a_price_is_counted_when_there_is_one(
    serving, upstream, operator, prices
):
    file = prices({})
    await serving.restart(prices=file)
    answer = ScriptedTurn("gpt-99").text("hi").completed(usage(1000, 0, 0)).answer()
    upstream.answer(answer)
    await serving.ask(body=payload())
    await serving.rows()
    [finding] = (await operator.get("/api/prices/check"))["findings"]
    assert (finding["problem"], finding["model"]) == ("missing", "gpt-99")
    prices({"models": [{"match": ["gpt-99"], "rates": RATES, "date": "2099-01-01"}]})
    await operator.post("/api/prices/reload")
    [finding] = (await operator.get("/api/prices/check"))["findings"]
    assert finding["problem"] == "recost"
    recosted = (await operator.post("/api/prices/recost", {"since": "1d"})).json
    [row] = recosted["models"]
    assert (row["cost_before"], row["cost_after"]) == (0, 3_000)
    assert (row["unpriced_before"], row["unpriced_after"]) == (1, 0)
    assert recosted["next"] is None
    assert (await operator.get("/api/prices/check"))["findings"] == []
    [total] = (await operator.get("/api/usage"))["usage"]
    assert (total["cost_microdollars"], total["unpriced"]) == (3_000, 0)


@pytest.mark.parametrize(
    "body", [{"since": "x"}, {"after": -1}, {"dry": "x"}, {"other": 1}]
)
async def test_a_recost_that_makes_no_sense(operator, body):
    answered = await operator.post("/api/prices/recost", body)
    assert (answered.status, answered.error["param"]) == (400, next(iter(body)))
