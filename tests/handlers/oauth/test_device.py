"""The device flow over HTTP: begun, polled, and never ended by our own trouble."""

import json
import re
import sqlite3
from itertools import count

import pytest

from gateway.admission.body_budget import Sender
from gateway.oauth.endpoints import (
    REFRESHES_PER_MINUTE,
    REQUESTS_PER_MINUTE,
    Endpoints,
)
from gateway.store.users.oauth_tables import DeviceRow, SignInRequestRow
from tests.handlers.dashboard.browsing import HERE
from tests.handlers.oauth.conftest import refused


@pytest.mark.gen_test
async def test_a_client_polls_until_a_person_has_decided(client):
    answered = await client.begin()
    asked = answered.json
    assert answered.status == 200
    assert re.fullmatch(
        "[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}", asked["user_code"]
    )
    assert asked["verification_uri"] == f"{client.serving.base_url}/device"
    assert (asked["expires_in"], asked["interval"]) == (900, 5)
    assert "verification_uri_complete" not in asked
    # In the same instant, as Codex does.
    assert refused(await client.poll(asked["device_code"]), "authorization_pending")
    assert refused(await client.poll(asked["device_code"]), "slow_down")
    await client.approve(asked["user_code"].lower().replace("-", " "))
    given = await client.poll(asked["device_code"])
    assert given.status == 200
    assert given.json["access_token"].startswith("cgat-")
    device = client.device()
    assert (device.name, device.flow) == ("laptop", "device")
    assert client.device().end_reason is None
    # That nothing was decided yet is no refusal.
    assert await client.serving.refused(0) == []


async def poll_in_time(client, asked):
    """As after a restart, which forgets the pace."""
    client.gateway.oauth_endpoints = Endpoints(
        client.gateway.store, client.gateway.oauth
    )
    return await client.poll(asked["device_code"])


@pytest.mark.gen_test
async def test_an_answer_that_was_lost_is_given_again_until_it_was_used(client):
    asked = (await client.begin()).json
    await client.approve(asked["user_code"])
    lost = (await client.poll(asked["device_code"])).json
    assert refused(await client.poll(asked["device_code"]), "slow_down")
    given = (await poll_in_time(client, asked)).json
    assert given["refresh_token"] == lost["refresh_token"]
    assert client.device().name == "laptop"
    bearer = {"authorization": f"Bearer {given['access_token']}"}
    assert (await client.serving.ask(headers=bearer)).status == 200
    await client.gateway.flush()
    # One that was under way then is answered; what comes later was copied.
    assert (await poll_in_time(client, asked)).status == 200

    def age():
        spent = json.dumps([[one, 1.0] for one, _ in json.loads(DeviceRow.get().spent)])
        DeviceRow.update(spent=spent).execute()

    await client.gateway.store.write(age)
    assert refused(await poll_in_time(client, asked), "invalid_grant")
    assert client.device().end_reason == "reuse"
    assert refused(await client.refresh(given["refresh_token"]), "invalid_grant")


@pytest.mark.gen_test
async def test_who_refuses_is_told_to_the_client(client):
    asked = (await client.begin()).json
    flow = client.gateway.device_flow
    await flow.deny(asked["user_code"], client.user_id, HERE)
    assert refused(await client.poll(asked["device_code"]), "access_denied")
    assert client.gateway.oauth.devices() == []


@pytest.mark.gen_test
async def test_a_code_that_is_over_is_told_as_such(client):
    asked = (await client.begin()).json

    def age():
        SignInRequestRow.update(expires_at=1 + SignInRequestRow.created_at).execute()

    await client.gateway.store.write(age)
    assert refused(await client.poll(asked["device_code"]), "expired_token")


@pytest.mark.gen_test
async def test_a_poll_is_no_server_error_while_the_database_is_away(client):
    asked, given = (await client.begin()).json, await client.signed_in()
    file = client.serving.settings.data_dir / "gateway.db"
    other = sqlite3.connect(file)
    await client.gateway.flush()
    other.execute("ALTER TABLE oauth_request RENAME TO elsewhere")
    other.execute("ALTER TABLE oauth_device RENAME TO elsewhere2")
    other.commit()
    answered = await client.poll(asked["device_code"])
    assert refused(answered, "authorization_pending")
    assert "retry-after" not in answered.headers
    # A refresh is repeated by the client, and ends nothing.
    answered = await client.refresh(given["refresh_token"])
    assert refused(answered, "temporarily_unavailable", 503)
    assert "retry-after" not in answered.headers
    other.execute("ALTER TABLE elsewhere RENAME TO oauth_request")
    other.execute("ALTER TABLE elsewhere2 RENAME TO oauth_device")
    other.commit()
    other.close()
    assert (await client.refresh(given["refresh_token"])).status == 200


@pytest.mark.gen_test
async def test_a_poll_is_no_server_error_while_there_is_no_room_for_a_body(client):
    asked = (await client.begin()).json
    budget, leases = client.gateway.side_budget, []
    while free := (2 * budget.largest_share - budget.used) // 2:
        leases.append(budget.open_lease(Sender(f"key {len(leases)}", has_key=True)))
        leases[-1].take(free)
    answered = await client.poll(asked["device_code"])
    assert refused(answered, "authorization_pending")
    assert "retry-after" not in answered.headers
    for lease in leases:
        lease.release()
    await client.approve(asked["user_code"])
    assert (await client.poll(asked["device_code"])).status == 200


@pytest.mark.gen_test
async def test_five_codes_wait_for_an_address(client):
    asked = [(await client.begin()).json for _ in range(5)]
    answered = await client.begin()
    assert refused(answered, "temporarily_unavailable")
    await client.approve(asked[0]["user_code"])
    assert (await client.begin()).status == 200


async def taken(send):
    """How many are taken until one is slowed down."""
    for number in range(2 * REQUESTS_PER_MINUTE):
        if refused(await send(), "slow_down"):
            return number
    return 2 * REQUESTS_PER_MINUTE


@pytest.mark.gen_test
async def test_who_asks_without_end_is_slowed_down_before_anything_is_read(client):
    given = await client.signed_in()
    codes = map("{:043d}".format, count())
    assert await taken(lambda: client.poll(next(codes))) >= REQUESTS_PER_MINUTE - 1
    for send in (
        lambda: client.refresh("z" * 80),
        lambda: client.exchange("c" * 43),
        client.begin,
        lambda: client.post("/oauth/revoke", {"token": "x"}),
    ):
        assert await taken(send) < 30  # what was given back meanwhile
    # A device is not slowed down by who shares its address, but by itself.
    refreshed = await taken(lambda: client.refresh(given["refresh_token"]))
    assert REFRESHES_PER_MINUTE <= refreshed < REFRESHES_PER_MINUTE + 30


@pytest.mark.gen_test
async def test_without_pages_no_sign_in_begins(client):
    given = await client.signed_in()
    await client.serving.restart(dashboard="off")
    client.gateway = client.serving.gateway
    assert (await client.begin()).status == 404
    metadata = "/.well-known/oauth-authorization-server"
    assert (await client.serving.get(metadata)).status == 404
    assert (await client.refresh(given["refresh_token"])).status == 200
