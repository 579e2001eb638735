"""Tokens: issued for devices, and rotated; each in a transaction, but what is pure.

An access token begins with the public part of its seat, a refresh token with that and
the family: what all tokens of the device share, so that an old one is known as such.
"""

import base64
import hmac
import secrets
from dataclasses import dataclass

from gateway.admission.presented_token import DEVICE_TOKEN_START
from gateway.keys.key import digest
from gateway.oauth.devices import (
    Device,
    EndReason,
    chain_of,
    device_of,
    end_devices,
    forget_old_devices,
    keep_chain,
    locked_device,
)
from gateway.oauth.rotation import Verdict, judge, note_used, rotated
from gateway.oauth.seats import PUBLIC_LENGTH
from gateway.repository import audit, options
from gateway.secret import Secret
from gateway.sign_in.sessions import BrowserFacts
from gateway.store.encryption import SecretBox
from gateway.store.models import ApiKeyRow, SettingRow
from gateway.store.users.oauth_tables import REFRESH_KEY, AccessTokenRow, DeviceRow

ACCESS_SECONDS = 600
# As long as it is used now and then, and a year at most.
IDLE_DEVICE_SECONDS = 60 * 86_400
OLDEST_DEVICE_SECONDS = 365 * 86_400
# An expired access token is known so long: who presents it may be told what to do.
KNOWN_SECONDS = 3_600
# Of a device: it needs one every ten minutes, and some for repeated refreshes.
MOST_TOKENS = 50
REPEATS_NOTED_EVERY_SECONDS = 60  # of a seat
REFRESH_START = "cgrt-"
_FAMILY_LENGTH = PUBLIC_LENGTH + 16
_ACCESS_LENGTH = PUBLIC_LENGTH + 43
_REFRESH_LENGTH = _FAMILY_LENGTH + 43


@dataclass(frozen=True, slots=True)
class Issued:
    """What a client gets, this once, and what the gateway keeps of it."""

    device: Device  # as it is now
    generation: int
    access: Secret
    refresh: Secret
    expires_at: float  # of the access token, unix seconds
    expires_in: int = ACCESS_SECONDS

    @property
    def device_id(self) -> int:
        return self.device.id


@dataclass(frozen=True, slots=True)
class NotIssued:
    """The client has to sign in anew; `has_ended`: a device did, of a reuse.

    That has to be kept, so a transaction gives this and raises nothing.
    """

    has_ended: bool = False


@dataclass(slots=True)
class KnownToken:
    """What is kept of an access token."""

    device_id: int
    generation: int
    expires_at: float
    was_used: bool = False  # here


def is_access_token(token: str) -> bool:
    return (
        len(token) == _ACCESS_LENGTH
        and token.startswith(DEVICE_TOKEN_START)
        and token.isascii()
    )


def is_refresh_token(token: str) -> bool:
    return (
        len(token) == _REFRESH_LENGTH
        and token.startswith(REFRESH_START)
        and token.isascii()
    )


def family_of(refresh_token: str) -> str:
    """What a device is found by, whichever of its refresh tokens it is."""
    return digest(refresh_token[:_FAMILY_LENGTH])


def successor(key: bytes, token: str) -> str:
    """The same of the same token, whoever asks and however often."""
    made = hmac.digest(key, token.encode(), "sha256")
    end = base64.urlsafe_b64encode(made).decode().rstrip("=")
    return token[:_FAMILY_LENGTH] + end


# In a transaction.


def sealed_key(box: SecretBox) -> bytes:
    """What successors are derived with; made when it is first needed."""
    sealed = options.read(REFRESH_KEY)
    if sealed is None:
        made = box.encrypt(secrets.token_hex(32))
        # Of two members that make one at once, one's counts for both.
        SettingRow.insert(name=REFRESH_KEY, value=made).on_conflict_ignore().execute()
        sealed = options.read(REFRESH_KEY) or made
    return bytes.fromhex(box.decrypt(sealed))


def sign_in_device(
    seat: ApiKeyRow, name: str, flow: str, browser: BrowserFacts, now: float
) -> Issued:
    """A new device of the seat, with its first tokens."""
    refresh = _refresh_token(seat, secrets.token_urlsafe(12), secrets.token_urlsafe(32))
    row = add_device(seat, name, flow, browser, refresh, now)
    return _issue(row, seat.prefix, refresh, 0, now)


def token_of_code(seat: ApiKeyRow, device_code: str) -> str:
    """The refresh token that a device begins with which a device code makes.

    Nobody is given it, but its successors: a code is used as a refresh token is, so
    that an answer that was lost is given again, and a code that was copied is noticed.
    """
    return _refresh_token(seat, digest(device_code)[:16], device_code)


def add_device(
    seat: ApiKeyRow,
    name: str,
    flow: str,
    browser: BrowserFacts,
    refresh: str,
    now: float,
) -> DeviceRow:
    """A new device of the seat, whose refresh token is the given one."""
    ms = int(now * 1000)
    forget_old_devices(now)
    row: DeviceRow = DeviceRow.create(
        api_key_id=seat.id,
        name=name,
        flow=flow,
        address=browser.address,
        refresh_address=browser.address,
        user_agent=browser.user_agent,
        created_at=ms,
        refreshed_at=ms,
        family=family_of(refresh),
        refresh_digest=digest(refresh),
        refresh_expires_at=ms + IDLE_DEVICE_SECONDS * 1000,
    )
    audit.record(
        f"seat:{seat.name}",
        "device.sign_in",
        name,
        device=row.id,
        address=browser.address,
    )
    return row


def refresh_device(
    token: str, address: str, box: SecretBox, now: float
) -> Issued | NotIssued:
    """The tokens that follow. Of a reuse the device ends."""
    row = locked_device(DeviceRow.family == family_of(token))
    ms = int(now * 1000)
    if row is None or row.ends_at is not None or ms >= row.refresh_expires_at:
        return NotIssued()
    seat = ApiKeyRow.get_or_none(ApiKeyRow.id == row.api_key_id)
    if seat is None:
        return NotIssued()
    chain, presented = chain_of(row), digest(token)
    verdict, generation = judge(chain, presented, now)
    if verdict is Verdict.REUSE:
        end_devices(DeviceRow.id == row.id, EndReason.REUSE, f"address:{address}", now)
        return NotIssued(has_ended=True)
    follows = successor(sealed_key(box), token)
    if verdict is Verdict.REPEAT:
        if address != row.refresh_address:
            _note_repeat(row, f"seat:{seat.name}", address)
    else:
        keep_chain(row, rotated(chain, digest(follows), now))
        row.refreshed_at, row.refresh_address = ms, address
        last = row.created_at + OLDEST_DEVICE_SECONDS * 1000
        row.refresh_expires_at = min(ms + IDLE_DEVICE_SECONDS * 1000, last)
        row.save()
    return _issue(row, seat.prefix, follows, generation, now)


def note_access_used(device_id: int, generation: int, now: float) -> None:
    """An access token was used first: whoever has it has the refresh token, too."""
    row = locked_device(DeviceRow.id == device_id)
    if row is None:
        return
    chain = chain_of(row)
    used = note_used(chain, generation, now)
    if used != chain:
        keep_chain(row, used)
        row.save(only=[DeviceRow.spent])


def load_tokens(now: float) -> dict[str, KnownToken]:
    """By digest, those that are known still."""
    table, least = AccessTokenRow, int((now - KNOWN_SECONDS) * 1000)
    rows = table.select().where(table.expires_at > least).order_by(table.expires_at)
    return {row.digest: _known(row) for row in rows}


def find_token(hashed: str) -> KnownToken | None:
    row = AccessTokenRow.get_or_none(AccessTokenRow.digest == hashed)
    return None if row is None else _known(row)


def revoke_token(token: str, now: float) -> bool:
    """End the device of a token, of whichever kind (RFC 7009); whether one ended."""
    if is_refresh_token(token):
        which = DeviceRow.family == family_of(token)
    elif is_access_token(token):
        known = find_token(digest(token))
        which = DeviceRow.id == (known.device_id if known else 0)
    else:
        return False
    return bool(end_devices(which, EndReason.REVOKED, "device", now))


def _note_repeat(row: DeviceRow, actor: str, address: str) -> None:
    """Whoever repeats it all the time fills no audit."""
    if not audit.was_recorded(actor, "device.repeat", REPEATS_NOTED_EVERY_SECONDS):
        told = {"device": row.id, "address": address, "before": row.refresh_address}
        audit.record(actor, "device.repeat", row.name, **told)


def _refresh_token(seat: ApiKeyRow, family: str, secret: str) -> str:
    public = seat.prefix.removeprefix(DEVICE_TOKEN_START)
    return REFRESH_START + public + family + secret


def _issue(
    row: DeviceRow, public: str, refresh: str, generation: int, now: float
) -> Issued:
    table, ms = AccessTokenRow, int(now * 1000)
    table.delete().where(table.expires_at < ms - KNOWN_SECONDS * 1000).execute()
    access, expires_at = public + secrets.token_urlsafe(32), now + ACCESS_SECONDS
    table.create(
        force_insert=True,
        digest=digest(access),
        device_id=row.id,
        generation=generation,
        expires_at=int(expires_at * 1000),
    )
    own = table.select(table.digest).where(table.device_id == row.id)
    oldest = own.order_by(table.expires_at.desc()).offset(MOST_TOKENS)
    table.delete().where(table.digest.in_([one.digest for one in oldest])).execute()
    given = Secret(access), Secret(refresh)
    return Issued(device_of(row), generation, *given, expires_at)


def _known(row: AccessTokenRow) -> KnownToken:
    return KnownToken(row.device_id, row.generation, row.expires_at / 1000)
