"""Whatever number upstream tells, and where, the gateway goes on and counts."""

import json
import time

import pytest

from gateway.accounts.health import AccountLimit
from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.protocol.numbers import LONGEST_WINDOW
from tests.handlers.admin.operators import Operator
from tests.serving import CODEX, V1, payload

# As JSON or as a header's text.
ODD = ["1e306", "1e400", "1e20", "1e12", "-1", "-1e306", "NaN", "Infinity"]
ODD += ['"soon"', "true", "9999", '"9999-12-31T23:59:59Z"', "9" * 5000, "9" * 25, "[]"]
each_odd = pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd[:25])


def answer(text, status=200, **headers):
    """A JSON answer with what no JSON library would write."""
    content = {"content-type": "application/json"}
    return ScriptedResponse((text.encode(),), status, {**content, **headers})


def limit(odd):
    fields = f'"resets_at":{odd},"resets_in_seconds":{odd}'
    return '{"error":{"type":"usage_limit_reached","message":"no",%s}}' % fields  # noqa: UP031


def windows(odd):
    window = '{"used_percent":%s,"limit_window_seconds":%s,"reset_at":%s}'.replace(
        "%s", odd
    )
    rates = f'"limit_reached":true,"primary_window":{window}'
    return f'{{"rate_limit":{{{rates}}},"credits":{{"balance":{odd}}}}}'


@each_odd
@pytest.mark.gen_test
async def test_the_gateway_goes_on_whatever_upstream_counts(serving, upstream, odd):
    plain = odd.strip('"')[:5_000]
    told = {"retry-after": plain, "retry-after-ms": plain}
    for name in ("used-percent", "window-minutes", "reset-at"):
        told |= {f"x-codex-{place}-{name}": plain for place in ("primary", "secondary")}
    usage = f'"input_tokens":{odd},"output_tokens":{odd}'
    done = '{"type":"response.completed","response":{"id":"resp_odd","usage":{%s}}}'
    event = b"data: " + (done % usage).encode() + b"\n\n"
    first = ScriptedTurn().text("fine").events[:-1]
    upstream.answer(answer(limit(odd), 429, **told), account="one")
    upstream.answer(*first, event, account="two", headers=told)
    upstream.answer(answer(windows(odd), **told), route="usage", times=None)

    token = await serving.add_key(limits=["requests 2/1d"])
    bearer = {"authorization": f"Bearer {token}"}
    answered = await serving.ask(CODEX, payload(), headers=bearer)
    assert answered.status == 200
    assert event.strip() in answered.body  # as it came
    await serving.gateway.usage.poll_due()
    for account in serving.gateway.pool.accounts.values():
        await serving.gateway.usage.poll(account)
    await look_at_all(serving)

    await serving.restart()
    await look_at_all(serving)
    for account in serving.gateway.pool.accounts.values():
        account.health.lift_limit()
        account.health.resume()
    statuses = [
        (await serving.ask(V1, payload(stream=False), headers=bearer)).status
        for _ in range(2)
    ]
    assert statuses == [200, 429]


async def look_at_all(serving):
    """Everything that shows numbers, and the counts of failures behind it."""
    operator = Operator(serving)
    now = time.time()
    for account in (await operator.get("/api/accounts"))["accounts"]:
        assert (account["until"] or 0) <= now + LONGEST_WINDOW + 60
        for window in account["windows"]:
            assert 0 <= window["used_percent"] <= 1_000
            assert (window["resets_at"] or 0) <= now + LONGEST_WINDOW + 60
            json.dumps(window, allow_nan=False)
    for path in ("/api/logs", "/api/keys", "/metrics", "/backend-api/wham/usage"):
        assert (await operator.call("GET", path)).status == 200, path
    await serving.gateway.flush()
    assert set(serving.gateway.supervisor.failures.values()) == {0}
    assert serving.gateway.store.writer.dropped == 0


@pytest.mark.gen_test
async def test_a_value_that_cannot_be_kept_costs_no_other(serving):
    """Neither while it runs nor at the end."""
    token = await serving.add_key(limits=["requests 1/1d"])
    bearer = {"authorization": f"Bearer {token}"}
    assert (await serving.ask(V1, headers=bearer)).status == 200
    now, gateway = time.time(), serving.gateway
    for name, until in (("one", float("inf")), ("two", now + 3_600)):
        account = serving.account(name)
        account.health.limit = AccountLimit("primary", now, until)
        gateway.pool.observer.account_changed.publish(account)
    await gateway.flush()
    assert gateway.supervisor.failures["persist"] == 1
    await serving.restart()
    assert serving.account("one").health.limit is None
    assert serving.account("two").health.limit.until == pytest.approx(now + 3_600)
    serving.account("two").health.lift_limit()
    assert (await serving.ask(V1, headers=bearer)).status == 429
