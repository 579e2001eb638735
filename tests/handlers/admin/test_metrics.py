"""Who may read the metrics, and that a request shows in them."""

import pytest

from gateway.admin.token import admin_token

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
