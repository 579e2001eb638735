"""Devices: what signed in to a seat, until when it may, and what ended it."""

import json
from dataclasses import dataclass, field
from enum import StrEnum

import peewee as pw

from gateway.oauth.rotation import Chain, SpentToken
from gateway.oauth.seats import lock_seat
from gateway.repository import audit
from gateway.store.models import ApiKeyRow
from gateway.store.users.oauth_tables import AccessTokenRow, DeviceRow

# Accepted so long after its expiry: clocks differ, and a turn may just begin.
LEEWAY_SECONDS = 60
_DAY_MS = 86_400_000
# An ended device is shown so long.
ENDED_KEPT_DAYS = 90
LONGEST_DEVICE_NAME = 80
# Of a seat. Each is in memory, and its row stays for months: a script makes no more.
MOST_DEVICES = 100


class EndReason(StrEnum):
    """What ended a device."""

    SIGNED_OUT = "signed out"  # softly: what it has runs out
    ENDED = "ended"  # at once, by the owner or its person
    REVOKED = "revoked"  # by the device itself
    REUSE = "reuse"  # a token or code of its was used by two
    SEAT = "seat"  # person or seat disabled or removed


@dataclass(frozen=True, slots=True)
class Device:
    """Times in unix seconds."""

    id: int
    key_id: int
    name: str
    flow: str  # browser, device
    address: str
    user_agent: str
    created_at: float
    refreshed_at: float
    refresh_address: str
    refresh_expires_at: float
    family: str = field(default="", repr=False)  # digest
    ends_at: float | None = None  # None: it was not ended
    end_reason: str | None = None

    def is_over(self, now: float) -> bool:
        """Whether its tokens and sockets are refused."""
        ended = self.ends_at is not None and now >= self.ends_at
        # What was issued last may outlive the refresh token.
        return ended or now >= self.refresh_expires_at + 600 + LEEWAY_SECONDS

    @property
    def is_signed_out(self) -> bool:
        """Whether it gets no more tokens."""
        return self.ends_at is not None


def device_of(row: DeviceRow) -> Device:
    return Device(
        id=row.id,
        key_id=row.api_key_id,
        name=row.name,
        flow=row.flow,
        address=row.address,
        user_agent=row.user_agent,
        created_at=row.created_at / 1000,
        refreshed_at=row.refreshed_at / 1000,
        refresh_address=row.refresh_address,
        refresh_expires_at=row.refresh_expires_at / 1000,
        family=row.family,
        ends_at=None if row.ends_at is None else row.ends_at / 1000,
        end_reason=row.end_reason,
    )


def chain_of(row: DeviceRow) -> Chain:
    spent = (SpentToken(digest, until) for digest, until in json.loads(row.spent))
    return Chain(row.refresh_digest, row.generation, tuple(spent))


def keep_chain(row: DeviceRow, chain: Chain) -> None:
    row.refresh_digest, row.generation = chain.current, chain.generation
    row.spent = json.dumps([(one.digest, one.good_until) for one in chain.spent])


# In a transaction.


def load_devices() -> list[Device]:
    return [device_of(row) for row in DeviceRow.select().order_by(DeviceRow.id)]


def locked_device(found: pw.Expression) -> DeviceRow | None:
    """The row, which nobody else changes until this transaction has ended."""
    DeviceRow.update(generation=DeviceRow.generation).where(found).execute()
    row: DeviceRow | None = DeviceRow.get_or_none(found)
    return row


def end_devices(
    which: pw.Expression, reason: EndReason, actor: str, now: float
) -> list[str]:
    """End those that are not over, at once or as what they hold runs out; the names."""
    ms, ended = int(now * 1000), []
    found = (DeviceRow.ends_at.is_null()) | (DeviceRow.ends_at > ms)
    for row in DeviceRow.select().where(which & found):
        if reason is EndReason.SIGNED_OUT:
            if row.ends_at is not None:
                continue
            held = AccessTokenRow.select(pw.fn.MAX(AccessTokenRow.expires_at))
            last = held.where(AccessTokenRow.device_id == row.id).scalar() or 0
            ends_at = max(ms, last + LEEWAY_SECONDS * 1000)
        else:
            ends_at = ms
        DeviceRow.update(ends_at=ends_at, end_reason=reason.value).where(
            DeviceRow.id == row.id
        ).execute()
        audit.record(actor, "device.end", row.name, device=row.id, why=reason.value)
        ended.append(str(row.name))
    return ended


def has_room(key_id: int, now: float) -> bool:
    """Whether one more may sign in to the seat."""
    table, ms = DeviceRow, int(now * 1000)
    goes_on = table.ends_at.is_null() & (table.refresh_expires_at > ms)
    counted = goes_on | (table.created_at > ms - _DAY_MS)
    of_seat = table.select().where((table.api_key_id == key_id) & counted)
    return bool(of_seat.count() < MOST_DEVICES)


def end_seat_devices(key_id: int, actor: str, now: float) -> None:
    """When a seat or its person was disabled or removed."""
    lock_seat(ApiKeyRow.id == key_id)  # one that begins just now is ended, too
    end_devices(DeviceRow.api_key_id == key_id, EndReason.SEAT, actor, now)


def forget_old_devices(now: float) -> None:
    before = int(now * 1000) - ENDED_KEPT_DAYS * _DAY_MS
    gone = (DeviceRow.ends_at < before) | (DeviceRow.refresh_expires_at < before)
    DeviceRow.delete().where(gone).execute()
