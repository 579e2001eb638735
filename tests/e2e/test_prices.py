"""Prices as an operator keeps them, beside a running gateway."""

import asyncio
import json
import signal

import aiohttp
import pytest

from tests.e2e.test_operator import V1, rows
from tests.serving import until

pytestmark = [pytest.mark.operator, pytest.mark.gen_test(timeout=60)]
MODEL = "of-tomorrow"


async def ask(gateway, key):
    body = {"model": MODEL, "input": "hi", "stream": True}
    async with (
        aiohttp.ClientSession() as session,
        session.post(gateway.url + V1, json=body, headers={"x-api-key": key}) as answer,
    ):
        return answer.status, await answer.text()


async def test_a_price_that_comes_later(start_gateway, upstream, tmp_path):
    upstream.models.append({**upstream.models[1], "slug": MODEL})
    file = tmp_path / "prices.json"
    file.write_text("{}")
    gateway = await start_gateway(PRICES=str(file))
    del gateway.env["GATEWAY_PRICES"]  # the gateway's, not the shell's
    limit = ("--limit", "cost 5/30d")
    key = await gateway.create_key("laptop", *limit)
    strict = await gateway.create_key("strict", *limit, "--unpriced", "refuse")
    status, told = await ask(gateway, strict)
    assert (status, "model_not_priced" in told) == (403, True)
    assert (await ask(gateway, key))[0] == 200
    # Nothing of it costs anything known, and all of it says so.
    told = await gateway.run("usage", "--by", "model")
    assert "1 of 2 requests unpriced" in told
    told = await gateway.run("prices", "check", may_fail=True)
    assert f"missing  {MODEL}" in told
    # A list with a mistake is told, counts for nobody, and ends no gateway.
    file.write_text('{"models": [{"match": ["x"]}]}')
    told = await gateway.run("prices", "reload", may_fail=True)
    assert f"Error: {file}: models[0].rates: is a list" in told
    gateway._process.send_signal(signal.SIGHUP)
    await until(lambda: "this process goes on" in gateway.log())
    assert "models[0].rates: is a list" in gateway.log()
    assert (await ask(gateway, key))[0] == 200
    rates = [{"input": 10, "output": 0}]
    models = [{"match": [MODEL], "rates": rates, "date": "2099-01-01"}]
    file.write_text(json.dumps({"models": models}))
    assert f"{file} counts." in await gateway.run("prices", "reload")
    [shown] = await rows(gateway, "prices", "--model", MODEL, "--json")
    assert (shown["input"], shown["source"]) == (10.0, str(file))
    told = await gateway.run("prices", "check", may_fail=True)
    assert "2 logged without a price" in told
    asking = asyncio.create_task(ask(gateway, key))  # it serves meanwhile
    [counted] = await rows(gateway, "prices", "recost", "--since", "1d", "--json")
    assert (await asking)[0] == 200
    assert (counted["unpriced_before"], counted["unpriced_after"]) == (2, 0)
    assert counted["cost_after"] >= 2 * 1_000
    assert "has a price, none an old one" in await gateway.run("prices", "check")
    [total] = await rows(gateway, "usage", "--by", "model", "--json")
    assert (total["cost_microdollars"], total["unpriced"]) == (3_000, 0)
    assert (await ask(gateway, strict))[0] == 200
