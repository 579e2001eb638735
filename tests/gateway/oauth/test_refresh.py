"""Refresh tokens rotate; what was copied ends the device."""

import json
import time

import pytest

from gateway.oauth.errors import InvalidClient, InvalidGrant
from gateway.oauth.tokens import IDLE_DEVICE_SECONDS, OLDEST_DEVICE_SECONDS
from gateway.store.key_rotation import rotate_key
from gateway.store.models import AuditLog
from gateway.store.users.oauth_tables import DeviceRow

pytestmark = pytest.mark.gen_test
HOME = "192.0.2.7"


async def audited(store):
    return await store.read(
        lambda: [row.action for row in AuditLog.select().order_by(AuditLog.id)]
    )


async def refreshed(oauth, issued, address=HOME):
    return await oauth.refresh(issued.refresh.reveal(), "codex", address)


async def let_grace_pass(store):
    """All that was used so far was used long ago."""

    def move():
        for row in DeviceRow.select():
            spent = [[kept, until and 1.0] for kept, until in json.loads(row.spent)]
            row.spent = json.dumps(spent)
            row.save()

    await store.write(move)


async def test_a_refresh_gives_another_pair(oauth, signed_in):
    first = await signed_in()
    second = await refreshed(oauth, first)
    assert second.refresh.reveal() != first.refresh.reveal()
    assert second.access.reveal() != first.access.reveal()
    assert second.device_id == first.device_id


async def test_a_lost_answer_is_given_again(oauth, signed_in):
    first = await signed_in()
    second = await refreshed(oauth, first)
    again = await refreshed(oauth, first)
    assert again.refresh.reveal() == second.refresh.reveal()
    assert await refreshed(oauth, second)


async def test_an_old_token_that_comes_back_ends_the_device(oauth, signed_in, store):
    first = await signed_in()
    second = await refreshed(oauth, first)
    third = await refreshed(oauth, second)
    await let_grace_pass(store)
    with pytest.raises(InvalidGrant):
        await refreshed(oauth, first, "198.51.100.9")
    device = oauth.device(first.device_id)
    assert device.end_reason == "reuse"
    with pytest.raises(InvalidGrant):
        await refreshed(oauth, third)
    assert "device.end" in await audited(store)


async def test_a_token_of_long_ago_is_known_as_the_devices_too(oauth, signed_in, store):
    issued = first = await signed_in()
    for _ in range(25):
        issued = await refreshed(oauth, issued)
    with pytest.raises(InvalidGrant):
        await refreshed(oauth, first)
    assert oauth.device(first.device_id).end_reason == "reuse"


async def test_a_repeat_from_elsewhere_is_noted(oauth, signed_in, store):
    first = await signed_in()
    await refreshed(oauth, first)
    await refreshed(oauth, first)
    assert "device.repeat" not in await audited(store)
    await refreshed(oauth, first, "198.51.100.9")
    assert "device.repeat" in await audited(store)


async def test_what_is_no_token_of_any_device_ends_none(oauth, signed_in):
    issued = await signed_in()
    token = issued.refresh.reveal()
    other_family = token[:15] + "A" * 14 + token[29:]
    for made_up in (
        "",
        "cgrt-",
        "x" * len(token),
        token[:-1],
        token + "é",
        other_family,
    ):
        with pytest.raises(InvalidGrant):
            await oauth.refresh(made_up, "codex", HOME)
    with pytest.raises(InvalidClient):
        await oauth.refresh(token, "other", HOME)
    assert oauth.device(issued.device_id).end_reason is None
    assert await refreshed(oauth, issued)


async def test_a_refresh_slides_the_end_but_not_beyond_a_year(oauth, signed_in, store):
    issued = await signed_in()
    almost_a_year = (OLDEST_DEVICE_SECONDS - 86_400) * 1000
    moved = DeviceRow.update(created_at=DeviceRow.created_at - almost_a_year)
    await store.write(moved.execute)
    await refreshed(oauth, issued)
    await oauth.load()
    left = oauth.device(issued.device_id).refresh_expires_at - time.time()
    assert 86_000 < left <= 86_400 < IDLE_DEVICE_SECONDS


async def test_who_was_away_for_too_long_signs_in_again(oauth, signed_in, store):
    issued = await signed_in()
    past = DeviceRow.update(refresh_expires_at=int(time.time() * 1000) - 1)
    await store.write(past.execute)
    with pytest.raises(InvalidGrant):
        await refreshed(oauth, issued)


async def test_issuing_tokens_again_raises_no_revision(oauth, signed_in, store):
    issued = await signed_in()
    before = await audited(store)
    await refreshed(oauth, issued)
    assert await audited(store) == before


async def test_successors_stay_the_same_over_a_new_encryption_key(
    oauth, signed_in, store
):
    first = await signed_in()
    second = await refreshed(oauth, first)
    await rotate_key(store, store.secrets)
    again = await refreshed(oauth, first)
    assert again.refresh.reveal() == second.refresh.reveal()


@pytest.mark.parametrize("kind", ["access", "refresh"])
async def test_a_revoked_token_ends_its_device(oauth, signed_in, kind):
    issued = await signed_in()
    other = await signed_in("desktop")
    await oauth.revoke("nothing")
    await oauth.revoke(getattr(issued, kind).reveal())
    assert oauth.device(issued.device_id).end_reason == "revoked"
    with pytest.raises(InvalidGrant):
        await refreshed(oauth, issued)
    assert await refreshed(oauth, other)
