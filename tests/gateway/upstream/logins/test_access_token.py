"""Access tokens: where they are read from, and whose they are."""

import json
import os
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.demo.accounts import DemoAccount, jwt
from gateway.demo.answers import ScriptedResponse
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.upstream import UpstreamFault
from gateway.upstream.logins.access_token import identified, parse_import
from gateway.upstream.logins.auth_json import Login

# As Codex 0.169.0 wrote it, given to `codex login --with-access-token`.
BY_CODEX = """{
  "OPENAI_API_KEY": null,
  "personal_access_token": "at-testtoken1234567890"
}"""
ADA = DemoAccount("ada")


@pytest.mark.parametrize(
    ("content", "token"),
    [
        (BY_CODEX, "at-testtoken1234567890"),
        ("at-abc\n", "at-abc"),
        (f" {ADA.access_token} ", ADA.access_token),
        (json.dumps({"personal_access_token": " at-a.b~c "}), "at-a.b~c"),
    ],
)
def test_a_token_is_read_from_a_file_of_codex_or_by_itself(content, token):
    found = parse_import(content.encode())
    assert isinstance(found, Secret)
    assert found.reveal() == token


def test_a_login_beside_it_stays_a_login():
    found = parse_import(json.dumps(ADA.auth_document()).encode())
    assert isinstance(found, Login)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is not JSON"),
        ("at-", "is not JSON"),
        ("at-a b", "is not JSON"),
        ("at-" + "x" * 20_000, "is not JSON"),
        ("sk-sesame", "is not JSON"),
        ('{"personal_access_token": "at-ses ame"}', "cannot be one"),
        ('{"personal_access_token": 7}', "cannot be one"),
        ('{"personal_access_token": ""}', "has no tokens"),
        ('{"agent_identity": {"agent_private_key": "sesame"}}', "only Codex can use"),
        ("[]", "is not a JSON object"),
    ],
)
def test_what_is_no_login_says_so_without_quoting_it(content, words):
    with pytest.raises(ValueError, match=words) as refused:
        parse_import(content.encode())
    assert "sesame" not in str(refused.value)


@given(st.binary() | st.text().map(str.encode))
@example(b"\xff.e.e")
def test_whatever_is_given_is_read_or_refused(content):
    try:
        parse_import(content)
    except ValueError:
        return


async def whose(upstream, token):
    settings = replace(Settings.from_env(dotenv=os.devnull), auth_base_url=upstream.url)
    return await identified(settings, Secret(token))


@pytest.mark.gen_test
async def test_upstream_tells_whose_an_opaque_token_is(upstream):
    ada = upstream.add_account("ada", plan="business")
    login = await whose(upstream, ada.personal_access_token)
    assert (login.email, login.plan) == (ada.email, "business")
    assert login.chatgpt_account_id == ada.account_id
    assert login.chatgpt_user_id == "user-ada"
    assert login.credentials.is_access_token
    assert login.credentials.expires_at is None
    (asked,) = upstream.of("whoami")
    assert asked.path == "/api/accounts/v1/user-auth-credential/whoami"
    owner = {"chatgpt_account_id": "a", "expires_at": "2027-01-01T00:00:00Z"}
    upstream.answer(ScriptedResponse.json(owner), route="whoami")
    login = await whose(upstream, ada.personal_access_token)
    assert login.credentials.expires_at == 1_798_761_600


@pytest.mark.gen_test
async def test_a_token_that_says_whose_it_is_is_not_asked_about(upstream):
    login = await whose(upstream, ADA.access_token)
    assert (login.email, login.plan) == (ADA.email, "plus")
    assert login.credentials.expires_at > 0
    assert upstream.requests == []
    with pytest.raises(UpstreamFault, match="which ChatGPT account"):
        await whose(upstream, jwt({"agent_runtime_id": "x"}))


@pytest.mark.gen_test
async def test_a_token_that_upstream_does_not_take_is_refused(upstream):
    with pytest.raises(UpstreamFault, match="status 401") as refused:
        await whose(upstream, "at-nobodys")
    assert refused.value.failure.code == "access_token_refused"
    assert "nobodys" not in str(refused.value)
    for answer in ({}, {"chatgpt_account_id": "a\nb"}, {"chatgpt_account_id": 7}):
        upstream.answer(ScriptedResponse.json(answer), route="whoami")
        with pytest.raises(UpstreamFault):
            await whose(upstream, "at-x")
    await upstream.stop()
    with pytest.raises(UpstreamFault) as unknown:
        await whose(upstream, "at-x")
    assert unknown.value.failure.origin == "network"
