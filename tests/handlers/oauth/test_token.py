"""Tokens are given for a code, a refresh token or a device code."""

import pytest

from gateway.oauth.codes import challenge_of
from gateway.store.users.oauth_tables import SignInRequestRow
from tests.gateway.oauth.conftest import VERIFIER
from tests.handlers.oauth.conftest import refused


@pytest.mark.gen_test
async def test_a_code_is_exchanged_for_tokens_once(client):
    code = await client.code()
    answered = await client.exchange(code)
    assert answered.status == 200
    given = answered.json
    assert given["token_type"] == "Bearer"
    assert given["expires_in"] == 600
    assert given["scope"] == "gateway"
    assert given["access_token"].startswith("cgat-")
    assert answered.headers["cache-control"] == "no-store"
    assert answered.headers["content-type"] == "application/json"
    assert "set-cookie" not in answered.headers
    assert client.device().name == "laptop"
    assert refused(await client.exchange(code), "invalid_grant")
    assert client.device().end_reason == "reuse"
    assert refused(await client.refresh(given["refresh_token"]), "invalid_grant")


@pytest.mark.gen_test
async def test_a_code_is_for_the_client_that_asked(client):
    for other in (
        {"code_verifier": "w" * 43},
        {"code_verifier": challenge_of(VERIFIER)},  # as if it were plain
        {"redirect_uri": "http://127.0.0.1:1500/callback"},
        {"code": "x" * 43},
    ):
        given = {"code": await client.code(), **other}
        assert refused(await client.exchange(**given), "invalid_grant")
    assert client.gateway.oauth.devices() == []


@pytest.mark.gen_test
async def test_a_refresh_token_rotates_and_a_lost_answer_is_given_again(client):
    first = await client.signed_in()
    lost, again = [
        (await client.refresh(first["refresh_token"])).json for _ in range(2)
    ]
    assert lost["refresh_token"] == again["refresh_token"] != first["refresh_token"]
    assert lost["access_token"] != again["access_token"]
    assert (await client.refresh(again["refresh_token"])).status == 200


@pytest.mark.gen_test
async def test_a_device_that_has_ended_signs_in_anew(client):
    given = await client.signed_in()
    oauth = client.gateway.oauth
    assert await oauth.sign_out(client.device().id, "test", at_once=False)
    assert refused(await client.refresh(given["refresh_token"]), "invalid_grant")


@pytest.mark.gen_test
async def test_what_a_later_client_adds_to_a_form_is_left_out(client):
    given = await client.signed_in()
    more = {"scope": "openid gateway", "resource": "https://gw.example", "x": "1"}
    fields = {"grant_type": "refresh_token", "client_secret": "", **more}
    asked = {**fields, "refresh_token": given["refresh_token"]}
    answered = await client.post("/oauth/token", asked)
    assert (answered.status, answered.json["scope"]) == (200, "gateway")
    begun = await client.post("/oauth/device", more)
    assert begun.status == 200


REFRESH = {"grant_type": "refresh_token", "refresh_token": "r"}
FORMS = [
    ({"grant_type": "password"}, "unsupported_grant_type"),
    ({"grant_type": ""}, "invalid_request"),
    ({"grant_type": "refresh_token"}, "invalid_request"),
    ({"grant_type": "authorization_code", "code": "c"}, "invalid_request"),
    ({**REFRESH, "scope": "admin"}, "invalid_scope"),
    ({**REFRESH, "client_id": "x"}, "invalid_client"),
    ({**REFRESH, "refresh_token": "ü\0"}, "invalid_grant"),
    ({f"field{n}": "1" for n in range(40)}, "invalid_request"),
]
URLENCODED = "application/x-www-form-urlencoded; charset=utf-8"
NO_FORMS = [
    (b"grant_type=refresh_token&client_id=codex&refresh_token=a&refresh_token=b", ""),
    (b"grant_type=%ff", ""),
    (b"\xff\xfe", ""),
    (b"", ""),
    (b"grant_type=refresh_token&client_id=codex&refresh_token=a", "text/plain"),
]


@pytest.mark.gen_test
async def test_what_is_wrong_with_a_form_has_the_code_of_the_rfc(client):
    for fields, code in FORMS:
        answered = await client.post("/oauth/token", fields)
        assert refused(answered, code), fields
        assert answered.json["error_description"]


@pytest.mark.gen_test
async def test_what_is_no_form_is_an_invalid_request(client):
    for body, kind in NO_FORMS:
        headers = {"content-type": kind or URLENCODED}
        answered = await client.serving.ask("/oauth/token", body, headers=headers)
        assert refused(answered, "invalid_request"), body


@pytest.mark.gen_test
async def test_a_revoked_device_has_ended_and_no_token_is_told_from_another(client):
    given = await client.signed_in()
    for token in ("cgat-nothing", "x" * 200, given["refresh_token"]):
        answered = await client.post("/oauth/revoke", {"token": token})
        assert (answered.status, answered.body) == (200, b"")
    assert client.device().end_reason == "revoked"
    assert refused(await client.post("/oauth/revoke"), "invalid_request")
    wrong = {"token": given["access_token"], "client_id": "other"}
    assert refused(await client.post("/oauth/revoke", wrong), "invalid_client")


@pytest.mark.gen_test
async def test_a_restart_in_between_takes_nothing_back(client):
    code, asked = await client.code(), (await client.begin()).json
    await client.serving.restart()
    client.gateway = client.serving.gateway
    given = (await client.exchange(code)).json
    assert refused(await client.poll(asked["device_code"]), "authorization_pending")
    await client.approve(asked["user_code"])
    await client.serving.restart()
    client.gateway = client.serving.gateway
    assert (await client.poll(asked["device_code"])).status == 200
    rotated = (await client.refresh(given["refresh_token"])).json
    await client.serving.restart()
    client.gateway = client.serving.gateway
    again = (await client.refresh(given["refresh_token"])).json
    assert again["refresh_token"] == rotated["refresh_token"]


@pytest.mark.gen_test
async def test_what_is_kept_of_codes_and_tokens_opens_nothing(client):
    asked, given = (await client.begin()).json, await client.signed_in()
    await client.gateway.flush()
    (folder,) = {client.serving.settings.data_dir}
    kept = b"".join(file.read_bytes() for file in folder.glob("gateway.db*"))
    secrets = [asked["device_code"], asked["user_code"], VERIFIER]
    secrets += [given["access_token"], given["refresh_token"]]
    for secret in secrets:
        assert secret.encode() not in kept
    assert asked["user_code"].replace("-", "").encode() not in kept
    assert await client.gateway.store.read(SignInRequestRow.select().count) == 1
