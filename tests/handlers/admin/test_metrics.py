"""Who may read the metrics, and that a request shows in them."""

import pytest

from gateway.process.admin_token import admin_token

pytestmark = pytest.mark.gen_test(timeout=20)


async def test_local_clients_read_metrics_of_what_was_served(serving):
    await serving.ask()
    await serving.rows(1)
    answered = await serving.get("/metrics")
    assert answered.status == 200
    assert answered.headers["content-type"].startswith("text/plain")
    line = (
        'codex_gateway_requests_total{account="one",status="success",'
        'surface="codex",transport="http"} 1.0'
    )
    assert line in answered.body.decode().splitlines()


async def test_others_need_the_admin_token(serving):
    token = admin_token(serving.settings.data_dir).reveal()
    forwarded = {"x-forwarded-for": "203.0.113.9"}
    assert (await serving.get("/metrics", headers=forwarded)).status == 401
    key = {"x-admin-token": token}
    assert (await serving.get("/metrics", headers=forwarded | key)).status == 200


@pytest.mark.settings(metrics_keys=True)
async def test_keys_have_series_where_their_owner_wants_them(serving):
    token = await serving.add_key("alice", limits=["tokens 1000/1d"])
    await serving.ask(headers={"x-api-key": token})
    await serving.rows(1)
    told = (await serving.get("/metrics")).body.decode()
    assert 'codex_gateway_key_requests_total{key="alice",status="success"} 1.0' in told
    assert 'key_budget_used_ratio{key="alice",limit="tokens 1000/1d"} 0.' in told


async def test_else_no_series_has_a_keys_name(serving):
    token = await serving.add_key("alice", limits=["tokens 1000/1d"])
    await serving.ask(headers={"x-api-key": token})
    await serving.rows(1)
    assert "alice" not in (await serving.get("/metrics")).body.decode()
