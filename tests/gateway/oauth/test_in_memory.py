"""What a process knows of devices and tokens: as the database has it, and no more."""

import asyncio
import time

import pytest

from gateway.oauth.authorization import read_request
from gateway.oauth.errors import InvalidGrant
from gateway.oauth.oauth import OAuth
from gateway.oauth.tokens import ACCESS_SECONDS, KNOWN_SECONDS, KnownToken
from tests.devices import LAPTOP, sign_in_device
from tests.gateway.oauth.conftest import CALLBACK, VERIFIER, link, told

pytestmark = pytest.mark.gen_test


async def refreshed(oauth, issued, address="198.51.100.9"):
    return await oauth.refresh(issued.refresh.reveal(), "codex", address)


async def test_a_refresh_is_known_without_reading_anything_anew(
    oauth, signed_in, store
):
    issued = await signed_in()
    before = oauth.device(issued.device_id)
    other = await store.write(sign_in_device, "ada")
    await refreshed(oauth, issued)
    after = oauth.device(issued.device_id)
    assert after.refresh_address == "198.51.100.9"
    assert after.refreshed_at > before.refreshed_at
    assert after.refresh_expires_at > before.refresh_expires_at
    assert oauth.device(other.device_id) is None


async def test_what_ends_nothing_reads_nothing_anew(oauth, person, store):
    handle = await oauth.open_request(read_request(link()), LAPTOP, person.user_id)
    code = told(await oauth.approve(handle, person.user_id, "laptop"))["code"]
    await oauth.exchange_code(code, "codex", CALLBACK, VERIFIER)
    with pytest.raises(InvalidGrant):
        await oauth.exchange_code(code, "codex", CALLBACK, VERIFIER)
    elsewhere = await store.write(sign_in_device, "ada")  # as by another process
    await oauth.revoke("nothing")
    with pytest.raises(InvalidGrant):
        await oauth.exchange_code(code, "codex", CALLBACK, VERIFIER)
    assert oauth.device(elsewhere.device_id) is None
    await oauth.revoke(elsewhere.access.reveal())
    assert oauth.device(elsewhere.device_id).is_signed_out


async def test_a_device_that_ended_while_it_refreshed_has_ended(oauth, signed_in):
    issued = await signed_in()
    late = (await refreshed(oauth, issued)).device  # as it was before the end
    await oauth.sign_out(issued.device_id, "cli", at_once=True)
    oauth.access.keep(late)
    assert oauth.device(issued.device_id).is_signed_out


async def test_a_sign_in_during_a_load_is_not_lost(oauth, signed_in):
    loading = asyncio.ensure_future(oauth.load())
    issued = await signed_in()
    await loading
    assert oauth.device(issued.device_id)


async def test_tokens_that_are_over_are_forgotten_however_often_is_loaded(store, ring):
    access, now = OAuth(store, store.secrets, ring).access, time.time()
    for minute in range(200):
        at = now + 60 * minute
        expires = at + ACCESS_SECONDS
        access._tokens[f"at {minute}"] = KnownToken(1, 0, expires)
        known = {
            name: token
            for name, token in access._tokens.items()
            if token.expires_at > at - KNOWN_SECONDS
        }
        access.replace([], known, at)
    assert len(access._tokens) <= (ACCESS_SECONDS + KNOWN_SECONDS) / 60 + 1
