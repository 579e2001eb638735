"""The scripted upstream's other routes."""

import pytest

from tests.gateway.demo.client import (
    body,
    client,
    headers,
)


@pytest.mark.gen_test
async def test_the_quiet_routes_answer(upstream):
    async with client(upstream) as one:

        async def fetch(path, method="GET", **more):
            more.setdefault("headers", headers(one.account))
            async with one.session.request(method, upstream.url + path, **more) as r:
                assert r.status == 200, path
                return await r.json(), r.headers

        codex, heads = await fetch("/backend-api/codex/models?client_version=1")
        assert [model["use_responses_lite"] for model in codex["models"]][:2] == [
            True,
            False,
        ]
        async with one.post(body()) as response:
            assert response.headers["x-models-etag"] == heads["etag"]
        public, _ = await fetch("/v1/models", headers={"authorization": "Bearer sk-x"})
        assert public["object"] == "list"
        limits, _ = await fetch("/backend-api/wham/usage")
        assert limits["rate_limit"]["primary_window"]["used_percent"] == 12
        compacted, _ = await fetch("/v1/responses/compact", "POST", json=body())
        assert compacted["output"][0]["type"] == "compaction"
        for path in ("images/generations", "alpha/search"):
            assert (await fetch(f"/backend-api/codex/{path}", "POST", json={}))[0]
