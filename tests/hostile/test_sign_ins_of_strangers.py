"""Strangers at the endpoints where Codex signs in: floods, guesses, and listeners.

A person who works signs in, polls and refreshes in between: that has to go on.
"""

import asyncio
import logging
import random
import time
from functools import partial
from ipaddress import ip_network

import pytest

from gateway.oauth.device_flow import USER_CODE_LETTERS, UnknownUserCode, begin
from gateway.oauth.endpoints import (
    REFRESHES_OF_SEAT_PER_MINUTE,
    REFRESHES_PER_MINUTE,
)
from gateway.sign_in.delays import SignInTooSoon
from gateway.sign_in.sessions import BrowserFacts
from gateway.store.log.refusals import refusal_page
from gateway.store.users.oauth_tables import (
    AccessTokenRow,
    DeviceRow,
    SignInRequestRow,
)
from tests.gateway.oauth.conftest import make_person
from tests.handlers.oauth.conftest import DEVICE_GRANT, Client, refused
from tests.serving import payload

pytestmark = pytest.mark.hostile

TLS = {"x-forwarded-proto": "https"}
AT_A_TIME = 64
OAUTHS = {
    *("invalid_request", "invalid_client", "invalid_grant", "invalid_scope"),
    *("unsupported_grant_type", "slow_down", "temporarily_unavailable"),
    *("expired_token", "authorization_pending"),
}


@pytest.fixture
def client(serving, io_loop):
    async def make():
        await serving.add_account("one")
        user_id, _ = await serving.gateway.store.write(make_person, "ada")
        await serving.gateway.reload()
        return Client(serving, user_id)

    return io_loop.run_sync(make)


def of(address):
    return {**TLS, "x-forwarded-for": address}


def some_form(chance):
    """One of those that look right, but for what only the right client has."""
    token = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=43))
    family = f"cgrt-{token[:8]}{token[:16]}{token}"
    grants = [
        {"grant_type": DEVICE_GRANT, "device_code": token},
        {"grant_type": "refresh_token", "refresh_token": family},
        {"grant_type": "refresh_token", "refresh_token": token * 100},
        {
            "grant_type": "authorization_code",
            "code": token,
            "redirect_uri": "http://127.0.0.1:1499/callback",
            "code_verifier": token,
        },
        {"grant_type": "password", "username": "ada"},
        {"grant_type": DEVICE_GRANT, "device_code": "\0" * 43},
    ]
    paths = ["/oauth/token"] * 6 + ["/oauth/device", "/oauth/revoke"]
    return chance.choice(paths), {**chance.choice(grants), "token": family}


async def flood(client, count, address_of):
    """The answers to so many requests; each from the address of its number."""
    chance, room, seen = random.Random(19), asyncio.Semaphore(AT_A_TIME), []

    async def send(number):
        path, form = some_form(chance)
        async with room:
            answered = await client.post(path, form, headers=of(address_of(number)))
        seen.append(answered)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(send(number))
    return seen


async def rows(client):
    def count():
        tables = (SignInRequestRow, DeviceRow, AccessTokenRow)
        return [table.select().count() for table in tables]

    await client.gateway.flush()
    return await client.gateway.store.read(count)


@pytest.mark.settings(trusted_proxies=(ip_network("127.0.0.1"),))
@pytest.mark.gen_test(timeout=60)
async def test_a_flood_of_one_address_leaves_next_to_nothing(client):
    given = await client.signed_in()
    before = await rows(client)
    seen = await flood(client, 1000, lambda number: "203.0.113.9")
    assert not [one.body for one in seen if one.status not in (200, 400)]
    told = [answered.json["error"] for answered in seen if answered.status == 400]
    assert set(told) <= OAUTHS
    assert told.count("slow_down") > 300
    # Who shares its address with it refreshes, and who does not signs in.
    shared = {
        name.replace("-", "_"): value for name, value in of("203.0.113.9").items()
    }
    assert (await client.refresh(given["refresh_token"], **shared)).status == 200
    after = await rows(client)
    assert after[0] - before[0] <= 5
    assert after[1:] == [before[1], before[2] + 1]
    assert (await client.begin()).status == 200
    refusals = await client.gateway.store.read(partial(refusal_page, limit=500))
    assert len(refusals) <= 70


@pytest.mark.settings(trusted_proxies=(ip_network("127.0.0.1"),))
@pytest.mark.gen_test(timeout=60)
async def test_a_flood_of_many_sites_stays_within_a_thousand_codes(client):
    given = await client.signed_in()

    def fill():
        for number in range(990):
            address = f"10.{number // 250}.{number % 250}.9"
            begin(BrowserFacts(address, address, "", has_tls=True), time.time())

    await client.gateway.store.write(fill)
    path = "/oauth/device"
    asked = [client.post(path, headers=of(f"10.9.{n}.1")) for n in range(40)]
    seen = await asyncio.gather(*asked)
    begun = [answered.json for answered in seen if answered.status == 200]
    assert len(begun) == 10
    others = [answered for answered in seen if answered.status != 200]
    assert all(refused(answered, "temporarily_unavailable") for answered in others)
    assert (await client.refresh(given["refresh_token"])).status == 200
    # One that is decided makes room.
    await client.approve(begun[0]["user_code"])
    assert (await client.begin()).status == 200


@pytest.mark.gen_test(timeout=60)
async def test_thirty_who_guess_together_get_three_hundred_guesses_an_hour(client):
    """Thirty persons, each at an address of its own."""
    flow, chance = client.gateway.device_flow, random.Random(8)
    waiting = [(await client.begin()).json["user_code"] for _ in range(5)]
    looked_at = 0
    for person in range(30):
        address = f"198.51.100.{person}"
        browser = BrowserFacts(address, address, "", has_tls=True)
        for _ in range(12):
            guess = "".join(chance.choices(USER_CODE_LETTERS, k=8))
            try:
                await flow.find(guess, person, browser)
            except UnknownUserCode:
                looked_at += 1
            except SignInTooSoon:
                continue
    assert looked_at == 300
    # 20**8 codes: all these find one of five once in 17,000,000 hours.
    assert looked_at * len(waiting) / len(USER_CODE_LETTERS) ** 8 < 1 / 17_000_000


@pytest.mark.gen_test(timeout=60)
async def test_all_devices_of_a_seat_together_refresh_so_often(client):
    held, statuses = [await client.signed_in() for _ in range(3)], []
    for given in held:
        token = given["refresh_token"]
        asked = [client.refresh(token) for _ in range(REFRESHES_PER_MINUTE)]
        statuses += [answered.status for answered in await asyncio.gather(*asked)]
    count = statuses.count(200)
    assert REFRESHES_OF_SEAT_PER_MINUTE <= count < 3 * REFRESHES_PER_MINUTE


@pytest.mark.gen_test
async def test_tokens_and_codes_stand_in_no_log_no_error_and_no_notice(client, caplog):
    caplog.set_level(logging.DEBUG)
    asked, code = (await client.begin()).json, await client.code()
    given = (await client.exchange(code)).json
    after = (await client.refresh(given["refresh_token"])).json
    secrets = [asked["device_code"], asked["user_code"], code]
    secrets += [
        one[name] for one in (given, after) for name in given if "token" in name
    ]
    secrets.remove("Bearer"), secrets.remove("Bearer")
    answers = [await client.exchange(code), await client.refresh(secrets[3])]
    for secret in secrets:
        answers += [
            await client.poll(secret),
            await client.refresh(secret),
            await client.token(secret),
            await client.post("/oauth/token", {"client_id": secret}),
            await client.post(f"/oauth/token?code={secret}"),
            await client.serving.get(f"/oauth/{secret}"),
            await client.serving.ask(
                body=payload(), headers={"authorization": f"Bearer {secret}x"}
            ),
        ]
    await client.gateway.flush()
    kept = b"".join(
        file.read_bytes() for file in client.serving.settings.data_dir.rglob("*.*")
    )
    told = caplog.text.encode() + b"".join(one.body for one in answers)
    for secret in secrets:
        assert secret.encode() not in told
        assert secret.encode() not in kept
        assert secret not in repr(client.gateway.oauth.devices())
