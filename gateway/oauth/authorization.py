"""Requests to sign in: what a client asked for, until a person has decided."""

import re
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlencode

import peewee as pw

from gateway.keys.key import digest
from gateway.oauth.client_rules import CODEX_CLIENT, check_redirect, check_scope
from gateway.oauth.devices import MOST_DEVICES, has_room
from gateway.oauth.errors import (
    ClientFault,
    OAuthError,
    RequestOver,
    SeatLacking,
    UnsupportedResponseType,
)
from gateway.oauth.seats import seat_row
from gateway.sign_in.sessions import BrowserFacts
from gateway.store.models import ApiKeyRow
from gateway.store.users.oauth_tables import SignInRequestRow
from gateway.store.users.tables import UserRow

BROWSER, DEVICE = "browser", "device"  # the flows
REQUEST_SECONDS = 600
# One more takes the place of the person's own oldest: a page may be loaded again.
MOST_PENDING_OF_PERSON = 5
# Of the device flow, which strangers begin; of an address, and of all together.
MOST_PENDING_OF_ADDRESS = 5
MOST_PENDING = 1_000
# What one sender may have of addresses, in bits: what a provider gives to a site.
_BLOCK_BITS = {4: 24, 6: 48}
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # RFC 7636, 4.2
_STATE = re.compile(r"[^\0]{0,500}")  # PostgreSQL takes no NUL
# One that has expired is known so long, so that who polls is told that.
_KEPT_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class SignInLink:
    """What the client's link to /oauth/authorize says, checked."""

    redirect_uri: str
    challenge: str
    state: str | None


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """What consent shows; `expires_at` in unix seconds, as `created_at`."""

    id: int
    flow: str
    redirect_uri: str | None
    address: str
    network: str
    user_agent: str
    created_at: float
    expires_at: float


class TooManyPending(OAuthError):
    code = "temporarily_unavailable"
    message = "Too many sign-ins wait for a decision; try again in some minutes"


def read_request(given: Mapping[str, str]) -> SignInLink:
    """Check the query of /oauth/authorize; each name is in it once.

    Raises ClientFault, for a page, when it is not known for sure where the client is;
    else an OAuthError whose `callback` tells the client.
    """
    redirect_uri, state = given.get("redirect_uri", ""), given.get("state")
    if given.get("client_id") != CODEX_CLIENT or not _STATE.fullmatch(state or ""):
        raise ClientFault
    check_redirect(redirect_uri)
    try:
        if given.get("response_type") != "code":
            raise UnsupportedResponseType
        check_scope(given.get("scope", ""))
        challenge = given.get("code_challenge", "")
        is_s256 = given.get("code_challenge_method") == "S256"
        if not is_s256 or _CHALLENGE.fullmatch(challenge) is None:
            raise OAuthError("PKCE with S256 is needed (RFC 7636)")
    except OAuthError as error:
        error.callback = callback_url(
            redirect_uri, state, error=error.code, error_description=str(error)
        )
        raise
    return SignInLink(redirect_uri, challenge, state)


def callback_url(redirect_uri: str, state: str | None, **told: str) -> str:
    """Back to the client, which knows its state."""
    query = told if state is None else {**told, "state": state}
    return f"{redirect_uri}?{urlencode(query)}"


# In a transaction.


def open_request(
    asked: SignInLink, browser: BrowserFacts, user_id: int, now: float
) -> str:
    """The handle of a new pending request, which that person is asked about."""
    handle, table = secrets.token_urlsafe(32), SignInRequestRow
    own = _waiting(BROWSER, now).where(table.user_id == user_id)
    surplus = own.order_by(table.id.desc()).offset(MOST_PENDING_OF_PERSON - 1)
    table.delete().where(table.id.in_([row.id for row in surplus])).execute()
    add_request(
        browser,
        now,
        REQUEST_SECONDS,
        digest=digest(handle),
        flow=BROWSER,
        user_id=user_id,
        redirect_uri=asked.redirect_uri,
        challenge=asked.challenge,
        state=asked.state,
    )
    return handle


def add_request(
    browser: BrowserFacts, now: float, seconds: int, **columns: Any
) -> SignInRequestRow:
    """Also of the device flow."""
    table, ms = SignInRequestRow, int(now * 1000)
    table.delete().where(table.expires_at <= ms - _KEPT_MS).execute()
    made: SignInRequestRow = table.create(
        address=browser.address,
        network=browser.network,
        user_agent=browser.user_agent,
        created_at=ms,
        expires_at=ms + seconds * 1000,
        **columns,
    )
    return made


def make_room(network: str, now: float) -> None:
    """For one more of the device flow. Raises TooManyPending.

    When there is none, whoever holds most of it gives its oldest to who holds less:
    with the addresses of one site nobody keeps all others out.
    """
    table, waiting = SignInRequestRow, _waiting(DEVICE, now)
    if waiting.where(table.network == network).count() >= MOST_PENDING_OF_ADDRESS:
        raise TooManyPending
    if waiting.count() < MOST_PENDING:
        return
    oldest = _oldest_of_largest(network, now)
    if oldest is None:
        raise TooManyPending
    table.delete().where(table.id == oldest).execute()


def _oldest_of_largest(network: str, now: float) -> int | None:
    """What gives way to the network; None: nothing does.

    It raises nothing: an error keeps what is held here, a thousand rows.
    """
    table = SignInRequestRow
    rows = _waiting(DEVICE, now).order_by(table.id)
    blocks: dict[int, str] = {row.id: _block_of(row.network) for row in rows}
    held = Counter(blocks.values())
    (largest, most), *_ = held.most_common(1)
    if held[_block_of(network)] + 1 >= most:
        return None
    return next(number for number, block in blocks.items() if block == largest)


def _waiting(flow: str, now: float) -> "pw.ModelSelect[SignInRequestRow]":
    table = SignInRequestRow
    is_open = (table.verdict == "") & (table.expires_at > int(now * 1000))
    return table.select().where(is_open & (table.flow == flow))


@lru_cache(maxsize=2 * MOST_PENDING)
def _block_of(network: str) -> str:
    try:
        inner = ip_network(network)
    except ValueError:
        return network
    return str(inner.supernet(new_prefix=_BLOCK_BITS[inner.version]))


def find_request(handle: str, now: float) -> SignInRequestRow:
    """Of the browser's flow. Raises RequestOver."""
    table = SignInRequestRow
    row: SignInRequestRow | None = table.get_or_none(
        (table.digest == digest(handle))
        & (table.flow == BROWSER)
        & (table.expires_at > int(now * 1000))
    )
    if row is None:
        raise RequestOver
    return row


def pending_of(row: SignInRequestRow) -> PendingRequest:
    return PendingRequest(
        row.id,
        row.flow,
        row.redirect_uri,
        row.address,
        row.network,
        row.user_agent,
        row.created_at / 1000,
        row.expires_at / 1000,
    )


def read_pending(handle: str, now: float) -> PendingRequest:
    return pending_of(find_request(handle, now))


def seat_with_room(user_id: int, now: float) -> ApiKeyRow:
    """The person's, to which one more device may sign in. Raises SeatLacking."""
    seat = usable_seat(user_id, now)
    if not has_room(seat.id, now):
        raise SeatLacking(
            f"Your seat has {MOST_DEVICES} devices, with those that signed in today: "
            "end some that you do not need, or try again tomorrow"
        )
    return seat


def usable_seat(user_id: int, now: float) -> ApiKeyRow:
    """The person's, with which a device could work now. Raises SeatLacking."""
    user, seat = UserRow.get_or_none(UserRow.id == user_id), seat_row(user_id)
    if user is None or user.is_disabled or seat is None:
        raise SeatLacking
    if seat.is_disabled:
        raise SeatLacking("Your seat is disabled: ask the owner of this gateway")
    if seat.expires_at is not None and seat.expires_at <= int(now * 1000):
        raise SeatLacking("Your seat has expired: ask the owner of this gateway")
    return seat
