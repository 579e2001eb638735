"""An access token, from the real Codex's login to a turn through the gateway."""

import json

import aiohttp
import pytest

from tests.serving import CODEX, payload

pytestmark = [pytest.mark.slow, pytest.mark.clients]


@pytest.mark.gen_test(timeout=90)
@pytest.mark.parametrize("newest", [False, True], ids=["0.169", "newest"])
async def test_what_codex_stores_is_imported_and_serves(
    upstream, start_gateway, codex, newest
):
    robot, cli = upstream.add_account("robot"), codex(newest=newest)
    token = robot.personal_access_token
    await cli.login_with_access_token(token, f"{upstream.url}/api/accounts")
    stored = cli.home / "auth.json"
    assert json.loads(stored.read_text()) == robot.access_document()

    async def take_it(gateway):
        await gateway.run("accounts", "import", str(stored))
        await gateway.run("accounts", "pause", "one@demo.example")

    gateway = await start_gateway(before_start=take_it)
    async with (
        aiohttp.ClientSession() as session,
        session.post(gateway.url + CODEX, json=payload()) as answer,
    ):
        assert answer.status == 200
        await answer.read()
    (received,) = upstream.of()
    assert received.headers["authorization"] == f"Bearer {token}"
    assert received.headers["chatgpt-account-id"] == robot.account_id
    assert len(upstream.of("whoami")) == 2
