"""The browser's flow: the link that is checked, consent, and a code that works once."""

import pytest

from gateway.admin.keys import create_key
from gateway.keys.key import digest
from gateway.oauth.authorization import MOST_PENDING_OF_PERSON, read_request
from gateway.oauth.codes import AUTHORIZATION_SECONDS
from gateway.oauth.errors import (
    ClientFault,
    InvalidClient,
    InvalidGrant,
    OAuthError,
    RequestOver,
    SeatLacking,
)
from gateway.oauth.seats import give_seat
from gateway.store.models import ApiKeyRow, now_ms
from gateway.store.users.oauth_tables import AuthorizationCodeRow, DeviceRow
from gateway.store.users.tables import UserRow
from tests.devices import LAPTOP
from tests.gateway.oauth.conftest import CALLBACK, VERIFIER, link, told

pytestmark = pytest.mark.gen_test


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:99999/callback",
        "http://127.0.0.1:1499/callback/",
        "http://127.0.0.1:1499/callback?a=b",
        "http://127.0.0.1:1499/callback#x",
        "http://127.0.0.1:1499@evil.example/callback",
        "http://127.0.0.1:1499\n/callback",
        "http://127.0.0.1:1499/callback\n",
        "http://127.0.0.1:١٤٩٩/callback",
        "https://127.0.0.1:1499/callback",
        "HTTP://127.0.0.1:1499/callback",
        "http://localhost:1499/callback",
        "http://[::1]:1499/callback",
        "http://127.0.0.2:1499/callback",
        "http://evil.example:1499/callback",
        "",
    ],
)
def test_nobody_is_led_elsewhere(uri):
    with pytest.raises(ClientFault):
        read_request(link(redirect_uri=uri))


@pytest.mark.parametrize(
    "name", [{"client_id": "other"}, {"state": "x" * 501}, {"state": "a\0"}]
)
def test_a_link_of_another_client_is_answered_by_a_page(name):
    with pytest.raises(ClientFault):
        read_request(link(**name))


@pytest.mark.parametrize(
    "more",
    [
        {"scope": "gateway openid offline_access"},
        {"scope": ""},
        {"scope": " gateway  gateway "},
        {"resource": "https://gw.example", "prompt": "login", "nonce": "n"},
    ],
)
def test_what_a_later_client_adds_to_a_link_is_left_out(more):
    assert read_request(link(**more)) == read_request(link())


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "é" * 43}, "invalid_request"),
    ],
)
def test_what_else_is_wrong_is_told_to_the_client(other, code):
    with pytest.raises(OAuthError) as refused:
        read_request(link(**other))
    answer = told(refused.value.callback)
    assert (answer["error"], answer["state"]) == (code, "xyz")


async def test_a_code_makes_one_device_of_the_seat(oauth, signed_in, person, ring):
    issued = await signed_in()
    (device,) = oauth.devices(person.key_id)
    assert (device.name, device.flow, device.address) == (
        "laptop",
        "browser",
        "192.0.2.7",
    )
    assert issued.expires_in == 600
    assert issued.access.reveal().startswith(oauth.seat_of(person.user_id).prefix)
    assert "cgat" not in repr(issued)


@pytest.mark.parametrize("wrong", ["verifier", "redirect_uri", "plain", "late"])
async def test_a_code_is_bound_to_who_asked_for_it(oauth, person, store, wrong):
    handle = await oauth.open_request(read_request(link()), LAPTOP, person.user_id)
    code = told(await oauth.approve(handle, person.user_id, "laptop"))["code"]
    verifier, uri = VERIFIER, CALLBACK
    if wrong == "verifier":
        verifier = "w" * 43
    elif wrong == "plain":
        verifier = link()["code_challenge"]
    elif wrong == "redirect_uri":
        uri = "http://127.0.0.1:1500/callback"
    else:
        table = AuthorizationCodeRow
        moved = table.update(expires_at=table.expires_at - AUTHORIZATION_SECONDS * 1000)
        await store.write(moved.execute)
    with pytest.raises(InvalidGrant):
        await oauth.exchange_code(code, "codex", uri, verifier)
    # Whoever guessed has used it up.
    with pytest.raises(InvalidGrant):
        await oauth.exchange_code(code, "codex", CALLBACK, VERIFIER)
    assert oauth.devices() == []


async def test_a_codes_second_use_ends_its_device(oauth, person):
    handle = await oauth.open_request(read_request(link()), LAPTOP, person.user_id)
    code = told(await oauth.approve(handle, person.user_id, "laptop"))["code"]
    issued = await oauth.exchange_code(code, "codex", CALLBACK, VERIFIER)
    with pytest.raises(InvalidGrant):
        await oauth.exchange_code(code, "codex", CALLBACK, VERIFIER)
    assert oauth.device(issued.device_id).end_reason == "reuse"
    with pytest.raises(InvalidGrant):
        await oauth.refresh(issued.refresh.reveal(), "codex", "192.0.2.7")


async def test_only_codes_of_devices_are_kept_when_they_are_over(oauth, person, store):
    async def code():
        handle = await oauth.open_request(read_request(link()), LAPTOP, person.user_id)
        return told(await oauth.approve(handle, person.user_id, "laptop"))["code"]

    used, spent, _ = [await code() for _ in range(3)]
    await oauth.exchange_code(used, "codex", CALLBACK, VERIFIER)
    with pytest.raises(InvalidGrant):
        await oauth.exchange_code(spent, "codex", CALLBACK, "w" * 43)
    await store.write(AuthorizationCodeRow.update(expires_at=now_ms() - 1).execute)
    fresh = await code()
    kept = await store.read(lambda: {row.digest for row in AuthorizationCodeRow})
    assert kept == {digest(used), digest(fresh)}


async def test_another_clients_id_spends_no_code(oauth, person):
    handle = await oauth.open_request(read_request(link()), LAPTOP, person.user_id)
    code = told(await oauth.approve(handle, person.user_id, "laptop"))["code"]
    with pytest.raises(InvalidClient):
        await oauth.exchange_code(code, "other", CALLBACK, VERIFIER)
    assert await oauth.exchange_code(code, "codex", CALLBACK, VERIFIER)


async def test_a_request_is_decided_once(oauth, person):
    handle = await oauth.open_request(read_request(link()), LAPTOP, person.user_id)
    assert (await oauth.pending(handle)).address == "192.0.2.7"
    assert told(await oauth.deny(handle)) == {"error": "access_denied", "state": "xyz"}
    for late in (
        oauth.approve(handle, person.user_id, "x"),
        oauth.deny(handle),
        oauth.pending(handle),
    ):
        with pytest.raises(RequestOver):
            await late


@pytest.mark.parametrize("trouble", ["seat", "disabled seat", "expired", "person"])
async def test_what_a_person_can_mend_is_told_before_a_code(
    oauth, person, store, trouble
):
    change = {
        "seat": ApiKeyRow.update(user_id=None),
        "disabled seat": ApiKeyRow.update(is_disabled=True),
        "expired": ApiKeyRow.update(expires_at=1),
        "person": UserRow.update(is_disabled=True),
    }[trouble]
    await store.write(change.execute)
    handle = await oauth.open_request(read_request(link()), LAPTOP, person.user_id)
    for asked in (
        oauth.approve(handle, person.user_id, "x"),
        oauth.check_seat(person.user_id),
    ):
        with pytest.raises(SeatLacking):
            await asked
    assert await oauth.pending(handle)  # and can be decided when it is mended


async def test_a_person_who_was_disabled_meanwhile_gets_no_tokens(oauth, person, store):
    handle = await oauth.open_request(read_request(link()), LAPTOP, person.user_id)
    code = told(await oauth.approve(handle, person.user_id, "laptop"))["code"]
    await store.write(UserRow.update(is_disabled=True).execute)
    with pytest.raises(InvalidGrant):
        await oauth.exchange_code(code, "codex", CALLBACK, VERIFIER)


async def test_who_loads_the_page_again_keeps_nobody_of_the_address_out(oauth, person):
    opened = [
        await oauth.open_request(read_request(link()), LAPTOP, user_id)
        for user_id in (person.user_id, 99, *[person.user_id] * MOST_PENDING_OF_PERSON)
    ]
    with pytest.raises(RequestOver):
        await oauth.pending(opened[0])
    for handle in opened[1:]:
        assert await oauth.pending(handle)


async def test_what_rests_opens_nothing(oauth, signed_in, store):
    issued = await signed_in()
    rows = await store.read(lambda: list(DeviceRow.select().dicts()))
    kept = str(rows)
    assert issued.refresh.reveal() not in kept
    assert issued.access.reveal() not in kept


async def test_a_code_leads_to_no_other_seat_than_the_person_was_told_of(
    oauth, person, store
):
    handle = await oauth.open_request(read_request(link()), LAPTOP, person.user_id)
    code = told(await oauth.approve(handle, person.user_id, "laptop"))["code"]

    def give_another():
        ApiKeyRow.update(user_id=None).execute()
        create_key("another", {}, "cli")
        row = ApiKeyRow.get(ApiKeyRow.name == "another")
        give_seat(row, UserRow.get_by_id(person.user_id), "cli")

    await store.write(give_another)
    with pytest.raises(InvalidGrant):
        await oauth.exchange_code(code, "codex", CALLBACK, VERIFIER)
