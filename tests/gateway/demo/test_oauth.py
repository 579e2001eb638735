"""The scripted upstream refreshes tokens and logs devices in."""

import json

import aiohttp
import pytest

from gateway.upstream.logins.auth_json import claims
from gateway.upstream.tokens import CLIENT_ID


async def grant(session, upstream, **fields):
    body = {"client_id": CLIENT_ID, **fields}
    kind = "json" if fields["grant_type"] == "refresh_token" else "data"
    async with session.post(upstream.url + "/oauth/token", **{kind: body}) as response:
        return response.status, await response.json()


@pytest.mark.gen_test
async def test_a_refresh_token_works_once(upstream):
    account = upstream.add_account("one")
    refresh = {"grant_type": "refresh_token", "refresh_token": account.refresh_token}
    async with aiohttp.ClientSession() as session:
        status, tokens = await grant(session, upstream, **refresh)
        assert status == 200
        assert tokens["refresh_token"] == account.refresh_token
        assert tokens["access_token"] == account.access_token
        status, again = await grant(session, upstream, **refresh)
    assert status == 401
    assert again["error"]["code"] == "refresh_token_reused"
    assert upstream.auth.refreshed == ["one"]


@pytest.mark.gen_test
async def test_the_device_flow_ends_in_tokens(upstream):
    upstream.add_account("one")
    base = upstream.url + "/api/accounts/deviceauth"
    async with aiohttp.ClientSession() as session:

        async def ask(path, **body):
            async with session.post(f"{base}/{path}", json=body) as response:
                return response.status, await response.json()

        _, asked = await ask("usercode", client_id=CLIENT_ID)
        poll = {name: asked[name] for name in ("device_auth_id", "user_code")}
        assert (await ask("token", **poll))[0] == 403
        status, allowed = await ask("token", **poll)
        assert status == 200
        form = {
            "grant_type": "authorization_code",
            "code": allowed["authorization_code"],
            "code_verifier": allowed["code_verifier"],
            "redirect_uri": upstream.url + "/deviceauth/callback",
        }
        bad_status, _ = await grant(
            session, upstream, **{**form, "redirect_uri": "http://elsewhere/"}
        )
        assert bad_status == 400
        status, tokens = await grant(session, upstream, **form)
        assert status == 200
        about = claims(tokens["id_token"])
        assert about["https://api.openai.com/auth"]["chatgpt_account_id"] == "acc-one"
        assert (await grant(session, upstream, **form))[0] == 400  # a code works once


def test_secrets_of_demo_accounts_do_not_show(tmp_path):
    from gateway.demo.accounts import DemoAccount

    account = DemoAccount("one")
    assert account.access_token not in repr(account)
    path = account.write_auth_file(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["tokens"]["account_id"] == "acc-one"
