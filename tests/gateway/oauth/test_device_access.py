"""Whose an access token is: in time, on a socket, after its device has ended."""

import asyncio
import threading
import time
from functools import partial

import pytest

from gateway.admission.client_address import RequestFacts
from gateway.admission.lookups import LOOKUPS_PER_MINUTE
from gateway.keys.key import Flaw
from gateway.oauth.device_access import DeviceAccess
from gateway.oauth.oauth import OAuth
from gateway.repository.keys import load_keys
from gateway.store.models import ApiKeyRow
from gateway.store.store import READERS
from gateway.store.users.oauth_tables import DeviceRow
from tests.devices import sign_in_device

pytestmark = pytest.mark.gen_test


def asked(token):
    return RequestFacts("192.0.2.7", {"authorization": f"Bearer {token}"})


def checked(oauth, issued, now=None, facts=None):
    token = issued.access.reveal()
    facts = facts or asked(token)
    found = oauth.access.check(facts, token, now or time.time())
    return found[0] and found[0].name, found[1]


async def test_a_token_opens_its_seat_for_its_ten_minutes_and_one_more(
    oauth, signed_in
):
    issued = await signed_in()
    expires = issued.expires_at
    assert checked(oauth, issued, expires + 59) == ("ada", None)
    assert checked(oauth, issued, expires + 61) == ("ada", Flaw.STALE)


async def test_a_socket_is_its_devices_whatever_its_tokens_expiry(oauth, signed_in):
    issued = await signed_in()
    facts = asked(issued.access.reveal())
    assert checked(oauth, issued, facts=facts) == ("ada", None)
    assert facts.device_id == issued.device_id
    later = issued.expires_at + 30 * 86_400
    assert checked(oauth, issued, later, facts) == ("ada", None)
    await oauth.sign_out(issued.device_id, "cli", at_once=True)
    assert checked(oauth, issued, later, facts) == ("ada", Flaw.SIGNED_OUT)


async def test_what_is_no_token_is_told_nothing(oauth, signed_in):
    issued = await signed_in()
    token = issued.access.reveal()
    for made_up in (token[:-1], token[:13] + "A" * 43, token + "A", "cgat-", "é" * 56):
        assert oauth.access.check(asked(made_up), made_up, time.time()) == (
            None,
            Flaw.UNKNOWN,
        )


async def test_a_soft_end_lets_what_was_issued_run_out(oauth, signed_in):
    issued = await signed_in()
    assert await oauth.sign_out(issued.device_id, "cli", at_once=False)
    assert checked(oauth, issued, issued.expires_at + 59) == ("ada", None)
    assert checked(oauth, issued, issued.expires_at + 61) == ("ada", Flaw.SIGNED_OUT)
    assert not await oauth.sign_out(issued.device_id, "cli", at_once=False)
    # Who has thought again ends it at once.
    assert await oauth.sign_out(issued.device_id, "cli", at_once=True)
    assert checked(oauth, issued) == ("ada", Flaw.SIGNED_OUT)


class Socket:
    is_told = False

    def drain(self):
        self.is_told = True


async def test_idle_sockets_close_when_a_signed_out_devices_tokens_have_run_out(
    oauth, signed_in
):
    issued, other = await signed_in(), await signed_in("desktop")
    leaving, staying, of_key = Socket(), Socket(), Socket()
    oauth.access.note_socket(leaving, issued.device_id)
    oauth.access.note_socket(staying, other.device_id)
    oauth.access.note_socket(of_key, None)
    await oauth.sign_out(issued.device_id, "cli", at_once=False)
    oauth.access.close_sockets(issued.expires_at)
    assert not leaving.is_told
    oauth.access.close_sockets(issued.expires_at + 61)
    assert (leaving.is_told, staying.is_told, of_key.is_told) == (True, False, False)


async def test_a_socket_of_a_device_ended_at_once_is_told_by_its_next_turn(
    oauth, signed_in
):
    issued, socket = await signed_in(), Socket()
    oauth.access.note_socket(socket, issued.device_id)
    await oauth.sign_out(issued.device_id, "cli", at_once=True)
    oauth.access.close_sockets(time.time() + 1)
    assert not socket.is_told


async def test_a_disabled_seat_is_said_to_be_one(oauth, signed_in, store, ring):
    issued = await signed_in()
    await store.write(ApiKeyRow.update(is_disabled=True).execute)
    ring.replace(await store.read(load_keys))
    assert checked(oauth, issued) == ("ada", Flaw.SEAT)


async def test_the_first_use_of_a_token_spends_the_refresh_token_before(
    oauth, signed_in, store
):
    first = await signed_in()
    second = await oauth.refresh(first.refresh.reveal(), "codex", "192.0.2.7")
    row = partial(DeviceRow.get_by_id, first.device_id)
    checked(oauth, first)
    await store.flush()
    assert "null" in (await store.read(row)).spent
    checked(oauth, second)
    await store.flush()
    assert "null" not in (await store.read(row)).spent


async def test_a_token_of_another_process_is_looked_up_once(oauth, person, store, ring):
    issued = await store.write(sign_in_device, "ada")
    facts = asked(issued.access.reveal())
    assert oauth.access.is_unknown(facts)
    await oauth.learn(facts, "192.0.2.7")
    assert not oauth.access.is_unknown(facts)
    assert checked(oauth, issued) == ("ada", None)


async def test_tokens_are_known_after_a_restart(signed_in, store, ring):
    issued = await signed_in()
    successor = OAuth(store, store.secrets, ring)
    await successor.load()
    assert not successor.access.is_unknown(asked(issued.access.reveal()))
    assert checked(successor, issued) == ("ada", None)


async def test_what_was_issued_during_a_load_stays_known(oauth, signed_in):
    issued = await signed_in()
    held = oauth.access.devices.values()
    oauth.access.replace(list(held), {}, time.time())  # as read before it
    assert checked(oauth, issued) == ("ada", None)


async def test_made_up_tokens_cost_an_address_few_lookups(oauth, signed_in, store):
    issued = await signed_in()
    made_up = asked(issued.access.reveal()[:13] + "A" * 43)
    for _ in range(LOOKUPS_PER_MINUTE):
        await oauth.learn(made_up, "203.0.113.5")
    other = await store.write(sign_in_device, "ada")
    facts = asked(other.access.reveal())
    await oauth.learn(facts, "203.0.113.5")
    assert oauth.access.is_unknown(facts)
    await asyncio.gather(*(oauth.learn(facts, "192.0.2.7") for _ in range(20)))
    assert not oauth.access.is_unknown(facts)


async def test_tokens_that_strangers_make_up_keep_nobody_from_being_looked_up(
    oauth, person, store
):
    other = await store.write(sign_in_device, "ada")
    facts = asked(other.access.reveal())
    for number in range(LOOKUPS_PER_MINUTE + 1):
        made_up = asked(f"cgat-{number:08}{'A' * 43}")
        assert not oauth.access.is_unknown(made_up)
        await oauth.learn(made_up, "203.0.113.5")
    assert oauth.access.is_unknown(facts)
    await oauth.learn(facts, "203.0.113.5")
    assert not oauth.access.is_unknown(facts)


async def test_a_database_that_does_not_answer_keeps_nobody_waiting(
    person, store, ring
):
    issued = await store.write(sign_in_device, "ada")
    access, answers = DeviceAccess(store, ring, lookup_seconds=0.02), threading.Event()
    busy = [asyncio.ensure_future(store.read(answers.wait)) for _ in range(READERS)]
    await asyncio.sleep(0)  # they are asked first
    facts = asked(issued.access.reveal())
    try:
        assert not await access.learn(facts, "192.0.2.7")
    finally:
        answers.set()
        await asyncio.gather(*busy)
    assert await access.learn(facts, "192.0.2.7")  # its device is to be loaded
