"""Authorization codes: given with consent, exchanged once (RFC 6749, 4.1; RFC 7636)."""

import base64
import hashlib
import hmac
import re
import secrets

from gateway.keys.key import digest
from gateway.oauth.authorization import (
    BROWSER,
    callback_url,
    find_request,
    seat_with_room,
    usable_seat,
)
from gateway.oauth.devices import EndReason, end_devices
from gateway.oauth.errors import AccessDenied, RequestOver, SeatLacking
from gateway.oauth.seats import lock_seat
from gateway.oauth.tokens import Issued, NotIssued, sign_in_device
from gateway.sign_in.sessions import BrowserFacts
from gateway.store.models import ApiKeyRow
from gateway.store.users.oauth_tables import (
    AuthorizationCodeRow,
    DeviceRow,
    SignInRequestRow,
)

AUTHORIZATION_SECONDS = 60
# The code of a device is known so long: its second use ends that.
_KEPT_MS = 86_400_000
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)  # RFC 7636, 4.1


def challenge_of(verifier: str) -> str:
    hashed = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(hashed).decode().rstrip("=")


# In a transaction.


def approve(handle: str, user_id: int, device_name: str, now: float) -> str:
    """The URL that brings the client its code; the request is decided by it.

    Raises RequestOver, SeatLacking: whatever could keep the code from being exchanged
    is told before, for the client calls the sign-in complete whatever follows.
    """
    seat, ms = seat_with_room(user_id, now), int(now * 1000)
    request = _decide(handle, now)
    code, table = secrets.token_urlsafe(32), AuthorizationCodeRow
    is_over = (table.expires_at < ms) & table.device_id.is_null()
    table.delete().where(is_over | (table.expires_at < ms - _KEPT_MS)).execute()
    table.create(
        force_insert=True,
        digest=digest(code),
        api_key_id=seat.id,
        user_id=user_id,
        redirect_uri=request.redirect_uri,
        challenge=request.challenge,
        device_name=device_name,
        address=request.address,
        user_agent=request.user_agent,
        expires_at=ms + AUTHORIZATION_SECONDS * 1000,
    )
    return _back_to(request, code=code)


def deny(handle: str, now: float) -> str:
    """The URL that tells the client. Raises RequestOver."""
    return _back_to(_decide(handle, now), error=AccessDenied.code)


def exchange(
    code: str, redirect_uri: str, verifier: str, now: float
) -> Issued | NotIssued:
    """The tokens of a new device, unless the code is none, over, or another client's.

    Whoever presents it uses it up; a second use ends the device made of it.
    """
    table = AuthorizationCodeRow
    found = table.digest == digest(code)
    taken = table.update(is_used=True).where(found & ~table.is_used).execute()
    row = table.get_or_none(found)
    if row is None:
        return NotIssued()
    if not taken:
        made = DeviceRow.id == (row.device_id or 0)
        ended = end_devices(made, EndReason.REUSE, "a second use of its code", now)
        return NotIssued(has_ended=bool(ended))
    is_proven = _VERIFIER.fullmatch(verifier) is not None and hmac.compare_digest(
        challenge_of(verifier), row.challenge
    )
    if not is_proven or redirect_uri != row.redirect_uri or _is_over(row, now):
        return NotIssued()
    lock_seat(ApiKeyRow.user_id == row.user_id)
    try:
        seat = usable_seat(row.user_id, now)
    except SeatLacking:
        return NotIssued()
    if seat.id != row.api_key_id:  # another than the person was told of
        return NotIssued()
    asker = BrowserFacts(row.address, "", row.user_agent, has_tls=False)
    issued = sign_in_device(seat, row.device_name, BROWSER, asker, now)
    table.update(device_id=issued.device_id).where(found).execute()
    return issued


def _is_over(row: AuthorizationCodeRow, now: float) -> bool:
    return bool(int(now * 1000) >= row.expires_at)


def _decide(handle: str, now: float) -> SignInRequestRow:
    request = find_request(handle, now)
    gone = SignInRequestRow.delete().where(SignInRequestRow.id == request.id)
    if not gone.execute():  # another process was faster
        raise RequestOver
    return request


def _back_to(request: SignInRequestRow, **told: str) -> str:
    assert request.redirect_uri is not None
    return callback_url(request.redirect_uri, request.state, **told)
