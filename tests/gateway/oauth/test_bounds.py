"""What one seat may have: devices, tokens, and rows in the audit."""

import time
from functools import partial

import pytest

from gateway.keys.key import digest
from gateway.oauth import tokens
from gateway.oauth.authorization import read_request
from gateway.oauth.device_flow import begin, decide_on_code
from gateway.oauth.devices import MOST_DEVICES
from gateway.oauth.errors import SeatLacking
from gateway.store.models import AuditLog
from gateway.store.users.oauth_tables import (
    AccessTokenRow,
    DeviceRow,
    SignInRequestRow,
)
from tests.devices import LAPTOP, sign_in_device
from tests.gateway.oauth.conftest import link

pytestmark = pytest.mark.gen_test
DAY_MS = 86_400_000


async def fill(store):
    """All the devices that a seat may have."""

    def sign_in():
        return [sign_in_device("ada").device_id for _ in range(MOST_DEVICES)]

    return await store.write(sign_in)


async def test_a_seat_has_a_hundred_devices(oauth, person, store):
    held = await fill(store)
    await store.write(begin, LAPTOP, time.time())
    code = await store.read(lambda: SignInRequestRow.get(flow="device"))
    handle = await oauth.open_request(read_request(link()), LAPTOP, person.user_id)
    decide = partial(decide_on_code, person.user_id, "one more", code)
    for asked in (
        oauth.approve(handle, person.user_id, "one more"),
        oauth.check_seat(person.user_id),
        store.write(decide, time.time()),
    ):
        with pytest.raises(SeatLacking, match="100 devices"):
            await asked
    # One that ends makes room, unless all are of this day.
    await oauth.sign_out(held[0], "ada", at_once=True)
    with pytest.raises(SeatLacking):
        await oauth.check_seat(person.user_id)
    long_ago = DeviceRow.update(created_at=DeviceRow.created_at - DAY_MS)
    await store.write(long_ago.execute)
    await oauth.check_seat(person.user_id)
    await store.write(decide, time.time())


async def test_a_device_has_its_latest_tokens(oauth, signed_in, store):
    last, other = await signed_in(), await signed_in()
    for _ in range(tokens.MOST_TOKENS + 5):
        last = await oauth.refresh(last.refresh.reveal(), "codex", "192.0.2.7")

    def kept():
        table = AccessTokenRow
        rows = table.select().order_by(table.expires_at)
        return [row.generation for row in rows if row.device_id == last.device_id]

    assert await store.read(kept) == list(range(6, tokens.MOST_TOKENS + 6))
    assert await store.read(tokens.find_token, digest(other.access.reveal()))


async def test_repeats_from_everywhere_leave_one_row_a_minute(oauth, signed_in, store):
    first = await signed_in()
    for number in range(5):
        await oauth.refresh(first.refresh.reveal(), "codex", f"198.51.100.{number}")

    def noted():
        return AuditLog.select().where(AuditLog.action == "device.repeat").count()

    assert await store.read(noted) == 1
    past = AuditLog.update(at=AuditLog.at - 60_000)
    await store.write(past.execute)
    await oauth.refresh(first.refresh.reveal(), "codex", "203.0.113.9")
    assert await store.read(noted) == 2
