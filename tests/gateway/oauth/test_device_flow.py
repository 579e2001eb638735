"""Codes that a person types, guesses at them, and how often they are polled for."""

import re
import time
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.keys import create_key
from gateway.keys.key import digest
from gateway.oauth import device_flow
from gateway.oauth.authorization import (
    DEVICE,
    MOST_PENDING,
    TooManyPending,
    add_request,
)
from gateway.oauth.device_flow import (
    USER_CODE_LETTERS,
    DeviceFlow,
    UnknownUserCode,
    begin,
    new_user_code,
    redeem,
    user_code_of,
)
from gateway.oauth.endpoints import CODE_POLL_SECONDS, LONGEST_POLL_SECONDS, Pace
from gateway.oauth.errors import AccessDenied, RequestOver, SeatLacking
from gateway.oauth.seats import give_seat
from gateway.sign_in.delays import SignInTooSoon
from gateway.sign_in.guesses import Guesses
from gateway.sign_in.sessions import BrowserFacts
from gateway.store.models import ApiKeyRow
from gateway.store.users.oauth_tables import SignInRequestRow
from gateway.store.users.tables import UserRow
from tests.gateway.oauth.conftest import LAPTOP

PHONE = BrowserFacts("198.51.100.1", "198.51.100.1", "a phone", has_tls=True)
WRONG = "BBBB-BBBB"


@pytest.fixture
def flow(store):
    return DeviceFlow(store, Guesses(store))


def stored():
    return SignInRequestRow.select().order_by(SignInRequestRow.id)


def elsewhere(number):
    address = f"203.0.113.{number}"
    return BrowserFacts(address, address, "", has_tls=True)


async def begun(store, browser=LAPTOP):
    return await store.write(device_flow.begin, browser, time.time())


@given(st.integers(0, 4), st.booleans(), st.sampled_from(["", " ", "\t", "- "]))
def test_a_code_is_read_however_it_was_typed(cut, is_lower, padding):
    code = new_user_code()
    typed = code.lower() if is_lower else code
    letters = typed.replace("-", "")
    plain = code.replace("-", "")
    assert user_code_of(typed) == user_code_of(letters) == plain
    assert user_code_of(f"{padding}{letters[:cut]}{padding}{letters[cut:]}") == plain


@given(st.text() | st.text("BCDF-bcdf ", max_size=50))
def test_what_is_no_code_is_none(typed):
    code = user_code_of(typed)
    assert code is None or re.fullmatch(f"[{USER_CODE_LETTERS}]{{8}}", code)


@pytest.mark.gen_test
async def test_consent_is_shown_who_asks_and_from_where(flow, store, person):
    _, code = await begun(store)
    asked = await flow.find(code, person.user_id, PHONE)
    assert (asked.address, asked.user_agent) == (LAPTOP.address, LAPTOP.user_agent)
    assert asked.flow == "device"


@pytest.mark.gen_test
async def test_a_code_is_decided_once(flow, store, person):
    _, code = await begun(store)
    await flow.deny(code, person.user_id, PHONE)
    with pytest.raises(UnknownUserCode):
        await flow.approve(code, person.user_id, "laptop", PHONE)


@pytest.mark.gen_test
async def test_of_two_processes_that_decide_at_once_one_does(store, person):
    device_code, _ = await begun(store)

    def decide():
        row = SignInRequestRow.get()
        device_flow.decide_on_code(person.user_id, None, row, time.time())
        with pytest.raises(RequestOver):
            device_flow.decide_on_code(person.user_id, "a", row, time.time())
        return device_flow.verdict_on(device_flow.digest(device_code), time.time())

    assert await store.write(decide) == device_flow.DENIED


@pytest.mark.gen_test
async def test_a_code_that_is_over_is_no_code(flow, store, person):
    old = time.time() - device_flow.DEVICE_SECONDS
    _, code = await store.write(device_flow.begin, LAPTOP, old)
    with pytest.raises(UnknownUserCode):
        await flow.find(code, person.user_id, PHONE)


@pytest.mark.gen_test
async def test_ten_wrong_codes_are_taken_of_a_person_wherever_they_are(
    flow, store, person
):
    _, code = await begun(store)
    for number in range(10):
        with pytest.raises(UnknownUserCode):
            await flow.find(WRONG, person.user_id, elsewhere(number))
    for _ in range(2):
        with pytest.raises(SignInTooSoon):
            await flow.approve(code, person.user_id, "laptop", PHONE)
    # After a restart, too; another person is kept from nothing.
    again = Guesses(store)
    with pytest.raises(SignInTooSoon):
        await DeviceFlow(store, again).find(code, person.user_id, PHONE)
    await flow.find(code, person.user_id + 1, PHONE)


@pytest.mark.gen_test
async def test_ten_wrong_codes_are_taken_of_an_address_whoever_is_there(flow, store):
    _, code = await begun(store)
    for user_id in range(10):
        with pytest.raises(UnknownUserCode):
            await flow.find("not even a code", user_id, PHONE)
    with pytest.raises(SignInTooSoon):
        await flow.find(code, 10, PHONE)
    await flow.find(code, 10, elsewhere(1))


@pytest.mark.gen_test
async def test_right_codes_are_held_against_nobody(flow, store, person):
    _, code = await begun(store)
    for _ in range(12):
        await flow.find(code, person.user_id, PHONE)


@pytest.mark.gen_test
async def test_without_a_seat_nothing_is_decided(flow, store, person):
    device_code, code = await begun(store)
    for _ in range(12):  # nor is it a guess
        with pytest.raises(SeatLacking):
            await flow.approve(code, person.user_id + 1, "laptop", PHONE)
    await flow.approve(code, person.user_id, "laptop", PHONE)

    def disable():
        ApiKeyRow.update(is_disabled=True).execute()

    await store.write(disable)
    with pytest.raises(AccessDenied):
        await store.write(redeem, device_code, "", store.secrets, time.time())


@pytest.mark.gen_test
async def test_two_processes_that_redeem_at_once_make_one_device(flow, store, person):
    device_code, code = await begun(store)
    await flow.approve(code, person.user_id, "laptop", PHONE)
    asked = (redeem, device_code, PHONE.address, store.secrets, time.time())
    one, other = await store.write(*asked), await store.write(*asked)
    assert one.refresh.reveal() == other.refresh.reveal()
    assert one.access.reveal() != other.access.reveal()
    assert one.device_id == other.device_id


@pytest.mark.gen_test
async def test_a_device_works_with_the_seat_that_consent_named(flow, store, person):
    device_code, code = await begun(store)
    await flow.approve(code, person.user_id, "laptop", PHONE)

    def change_seats():
        ApiKeyRow.update(user_id=None).execute()
        create_key("another", {}, "cli")
        other = ApiKeyRow.get(ApiKeyRow.name == "another")
        give_seat(other, UserRow.get_by_id(person.user_id), "cli")

    await store.write(change_seats)
    with pytest.raises(AccessDenied):
        await store.write(redeem, device_code, "", store.secrets, time.time())


def test_the_first_poll_is_in_time_and_each_early_one_waits_longer():
    pace = Pace()
    assert pace.note("code", 100.0) == (False, False)
    assert pace.note("code", 100.0 + CODE_POLL_SECONDS - 0.9) == (True, False)
    assert pace.note("code", 105.0) == (True, True)
    assert pace.note("code", 111.0) == (True, True)  # ten are due now
    assert pace.note("code", 126.0) == (True, False)
    assert pace.note("another", 126.0) == (False, False)


def test_who_never_waits_gets_no_longer_pause_than_a_minute():
    pace = Pace()
    for poll in range(100):
        pace.note("code", float(poll))
    assert pace.note("code", 99.0 + LONGEST_POLL_SECONDS) == (True, False)


@pytest.mark.parametrize(
    ("crowd", "one_of_it"),
    [("2001:db8:1:{:x}::/64", "2001:db8:1:ffff::/64"), ("192.0.2.{}", "192.0.2.255")],
)
@pytest.mark.gen_test
async def test_the_addresses_of_one_site_keep_nobody_out(store, crowd, one_of_it):
    def of(network):
        return begin(BrowserFacts(network, network, "", has_tls=True), time.time())[0]

    def fill():
        quiet, now = of("198.51.100.7"), time.time()
        for number in range(MOST_PENDING - 1):
            network = crowd.format(number // 5)
            facts = BrowserFacts(network, network, "", has_tls=True)
            add_request(facts, now, 900, digest=f"{number}", flow=DEVICE)
        return quiet

    quiet = await store.write(fill)
    with pytest.raises(TooManyPending) as refused:
        await store.write(of, one_of_it)
    frames = [frame for frame, _ in traceback.walk_tb(refused.value.__traceback__)]
    assert "make_room" in [frame.f_code.co_name for frame in frames]
    kept = [held for frame in frames for held in frame.f_locals.values()]
    assert not [one for one in kept if isinstance(one, dict) and len(one) > 900]
    new = await store.write(of, "203.0.113.8")
    waiting = [digest(quiet), *map(str, range(1, MOST_PENDING - 1)), digest(new)]
    assert await store.read(lambda: [one.digest for one in stored()]) == waiting
