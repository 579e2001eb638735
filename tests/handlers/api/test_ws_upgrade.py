"""Who may open a socket, and who is sent to HTTP."""

import aiohttp
import pytest

from gateway.demo.answers import ScriptedResponse
from tests.serving import CODEX, V1, turn_on


async def refused(serving, path=CODEX, **headers):
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await serving.socket(path, headers=headers)
    return caught.value.status


@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_who_may_not_come_in_gets_no_upgrade(serving, upstream, path):
    assert await refused(serving, path, host="example.com") == 401
    assert await refused(serving, path, **{"x-forwarded-for": "127.0.0.1"}) == 401
    assert await refused(serving, path, origin="https://evil.example") == 403
    assert await refused(serving, path, **{"sec-fetch-site": "cross-site"}) == 403
    token = await serving.add_key()
    assert await refused(serving, path) == 401
    for _ in range(15):  # never 429, which a client would retry at once
        assert await refused(serving, path, **{"x-api-key": "sk-cgw-x"}) == 401
    assert upstream.of("handshake") == []
    async with serving.socket(path, headers={"x-api-key": token}):
        pass


@pytest.mark.settings(websockets=False)
@pytest.mark.gen_test
async def test_sockets_that_are_off_send_codex_to_http(serving):
    assert await refused(serving) == 426
    assert await refused(serving, V1) == 426


@pytest.mark.accounts
@pytest.mark.gen_test
async def test_no_account_that_speaks_sockets_sends_codex_to_http(serving):
    await serving.add_api_key_account()
    assert await refused(serving) == 426


@pytest.mark.gen_test
async def test_accounts_that_turn_out_not_to_speak_sockets(serving, upstream):
    upstream.answer(ScriptedResponse(status=426), route="handshake", times=None)
    async with serving.socket() as ws:
        (frame,) = await turn_on(ws)
        assert frame["status"] == 426
    assert await refused(serving) == 426
    assert (await serving.ask()).status == 200


@pytest.mark.gen_test
async def test_an_upgrade_to_a_path_without_one(serving):
    assert await refused(serving, "/v1/nope") == 404
    assert await refused(serving, "/v1/chat/completions") == 405
