"""The device flow (RFC 8628): a client shows a code, and polls until it was typed.

A person who has signed in types it on a page, and into no URL. With ten wrong entries
an hour, and all 1,000 codes waiting that there may be, one is met in 292 years.
"""

import re
import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from gateway.errors import InvalidPayload
from gateway.keys.key import digest
from gateway.oauth.authorization import (
    DEVICE,
    PendingRequest,
    add_request,
    make_room,
    pending_of,
    seat_with_room,
    usable_seat,
)
from gateway.oauth.errors import (
    AccessDenied,
    ExpiredToken,
    InvalidGrant,
    RequestOver,
    SeatLacking,
)
from gateway.oauth.oauth import device_name_of
from gateway.oauth.seats import lock_seat
from gateway.oauth.tokens import (
    Issued,
    NotIssued,
    add_device,
    refresh_device,
    token_of_code,
)
from gateway.sign_in.delays import hour_after_ten
from gateway.sign_in.guesses import Guesses, SignInRefused
from gateway.sign_in.sessions import BrowserFacts
from gateway.store.encryption import SecretBox
from gateway.store.models import ApiKeyRow
from gateway.store.store import Store
from gateway.store.users.oauth_tables import SignInRequestRow

T = TypeVar("T")

DEVICE_SECONDS = 900
# Without vowels it is no word, and no letter looks like another (RFC 8628, 6.1).
USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_USER_CODE = re.compile(f"[{USER_CODE_LETTERS}]{{8}}")
_LONGEST_TYPED = 40
UNDECIDED, APPROVED, DENIED, REDEEMED = "", "approved", "denied", "redeemed"


class UnknownUserCode(InvalidPayload):
    """Told alike of a wrong code, an old one, and one that was decided."""

    message = "No sign-in waits for this code: read it again, or begin again in Codex"


def new_user_code() -> str:
    """As a client shows it, in two halves."""
    code = "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(8))
    return f"{code[:4]}-{code[4:]}"


def user_code_of(typed: str) -> str | None:
    """The letters alone, in whichever case they were typed, with a dash or without."""
    code = "".join(typed[:_LONGEST_TYPED].upper().replace("-", "").split())
    return code if _USER_CODE.fullmatch(code) else None


class DeviceFlow:
    """What the page asks where codes are typed; each entry counts as a guess.

    Raises UnknownUserCode, or SignInTooSoon after ten wrong ones within an hour, of the
    person or of the address.
    """

    def __init__(self, store: Store, guesses: Guesses) -> None:
        self._store = store
        self._guesses = guesses

    async def find(
        self, typed: str, user_id: int, browser: BrowserFacts
    ) -> PendingRequest:
        """What consent shows of the request whose code was typed."""
        return await self._take(typed, user_id, browser, _shown)

    async def approve(
        self, typed: str, user_id: int, device_name: str, browser: BrowserFacts
    ) -> None:
        """The client gets its tokens when it polls next. Raises SeatLacking."""
        approved = partial(decide_on_code, user_id, device_name_of(device_name))
        await self._take(typed, user_id, browser, approved)

    async def deny(self, typed: str, user_id: int, browser: BrowserFacts) -> None:
        await self._take(
            typed, user_id, browser, partial(decide_on_code, user_id, None)
        )

    async def _take(
        self,
        typed: str,
        user_id: int,
        browser: BrowserFacts,
        then: Callable[[SignInRequestRow, float], T],
    ) -> T:
        found: list[T] = []

        async def prove() -> bool:
            found.extend(await self._store.write(_with_code, typed, then, time.time()))
            return bool(found)

        guessers = (f"user {user_id}", f"address {browser.network}")
        subjects = [digest(f"device code {guesser}") for guesser in guessers]
        try:
            await self._guesses.take(subjects, prove(), hour_after_ten)
        except SignInRefused:
            raise UnknownUserCode from None
        return found[0]


# In a transaction.


def begin(browser: BrowserFacts, now: float) -> tuple[str, str]:
    """A device code, and the code for a person. Raises TooManyPending."""
    device_code, user_code = secrets.token_urlsafe(32), new_user_code()
    make_room(browser.network, now)
    add_request(
        browser,
        now,
        DEVICE_SECONDS,
        digest=digest(device_code),
        flow=DEVICE,
        user_code=digest(user_code.replace("-", "")),
    )
    return device_code, user_code


def decide_on_code(
    user_id: int, name: str | None, row: SignInRequestRow, now: float
) -> None:
    """Approve a device of this name, None: deny it. Raises SeatLacking, RequestOver."""
    decided: dict[str, Any] = {"verdict": DENIED, "user_id": user_id}
    if name is not None:
        seat_id = seat_with_room(user_id, now).id
        decided |= {"verdict": APPROVED, "api_key_id": seat_id, "device_name": name}
    table = SignInRequestRow
    is_open = (table.id == row.id) & (table.verdict == UNDECIDED)
    if not table.update(decided).where(is_open).execute():
        raise RequestOver  # another process was faster


def verdict_on(hashed: str, now: float) -> str:
    """On the request of a device code. Raises InvalidGrant, ExpiredToken."""
    table = SignInRequestRow
    row = table.get_or_none((table.digest == hashed) & (table.flow == DEVICE))
    if row is None:
        raise InvalidGrant("The device_code is none, or was used")
    if row.expires_at <= int(now * 1000):
        raise ExpiredToken
    return str(row.verdict)


def redeem(
    device_code: str, address: str, box: SecretBox, now: float
) -> Issued | NotIssued:
    """The tokens of the one device that an approved code makes.

    The same again until they were used, should the answer be lost; later the device
    ends. Raises InvalidGrant; AccessDenied when the seat that consent named has ended.
    """
    table = SignInRequestRow
    found = table.digest == digest(device_code)
    row = table.get_or_none(found & table.verdict.in_((APPROVED, REDEEMED)))
    if row is None:
        raise InvalidGrant
    lock_seat(ApiKeyRow.user_id == row.user_id)
    try:
        seat = usable_seat(row.user_id or 0, now)
    except SeatLacking as error:
        raise AccessDenied(str(error)) from error
    if seat.id != row.api_key_id:
        raise AccessDenied
    first = token_of_code(seat, device_code)
    is_open = found & (table.verdict == APPROVED)
    if table.update(verdict=REDEEMED).where(is_open).execute():
        asker = BrowserFacts(row.address, row.network, row.user_agent, has_tls=False)
        add_device(seat, row.device_name, DEVICE, asker, first, now)
    return refresh_device(first, address, box, now)


def _with_code(
    typed: str, then: Callable[[SignInRequestRow, float], Any], now: float
) -> list[Any]:
    """What `then` gives of the undecided request with that code; empty: of none."""
    code, table = user_code_of(typed), SignInRequestRow
    is_meant = (table.flow == DEVICE) & (table.user_code == digest(code or ""))
    is_open = (table.verdict == UNDECIDED) & (table.expires_at > int(now * 1000))
    row = table.get_or_none(is_meant & is_open)
    return [] if row is None else [then(row, now)]


def _shown(row: SignInRequestRow, now: float) -> PendingRequest:
    return pending_of(row)
