"""Judges: calls of the gateway's own that turn a suspicion into a verdict, or end it.

What a client's request met may be the request's own doing; the answer to a call that no
client had a hand in is not. The usage endpoint judges ChatGPT accounts, the catalogue
accounts with a key, a handshake with our own headers the sockets of a base URL. An
answer that is none of theirs (a page, 429, 5xx, silence) decides nothing.
"""

import asyncio
import random
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import NamedTuple

from gateway.accounts.account import Account
from gateway.accounts.pool import Pool
from gateway.accounts.verdicts import Met
from gateway.polling.catalogues import Catalogues
from gateway.polling.rulings import Ruling
from gateway.polling.usage import UsagePoller
from gateway.protocol.failure_kind import KINDS, Blame, FailureKind, kind_of
from gateway.repository.claims import Claims
from gateway.secret import Secret
from gateway.store.database import StoreUnavailable
from gateway.upstream import UpstreamFault
from gateway.upstream.account_api import USER_AGENT
from gateway.upstream.endpoints import account_headers
from gateway.upstream.tokens import TokenSource
from gateway.upstream.websocket_handshake import UpstreamSockets

# An account is asked about again after this, doubling while its judge finds it well.
FIRST_JUDGE_PAUSE = 5.0
LONGEST_JUDGE_PAUSE = 300.0
ANSWER_SECONDS = 5.0  # a judge's, and what a request that met a 401 waits for it
CALL_SPACING = 1.0  # between two calls of the whole gateway
# Two accounts whose fresh tokens are refused within this time: upstream's trouble.
FRESH_TOKENS_SECONDS = 60.0
_JUDGED = frozenset(
    {Blame.ACCOUNT, Blame.WINDOW, Blame.BALANCE, Blame.LOGIN, Blame.EDGE}
)


class Question(NamedTuple):
    """What a judge is asked."""

    account_id: int
    is_handshake: bool


@dataclass(slots=True)
class _Docket:
    """When a question may be asked again."""

    next_at: float = 0.0
    answered_at: float = -FIRST_JUDGE_PAUSE
    pause: float = FIRST_JUDGE_PAUSE
    is_of_401: bool = False  # a turn that met one has had the last answer


class Judges:
    """Asks what `Pool.failure_met` leaves open, one call a second at most."""

    def __init__(
        self,
        pool: Pool,
        tokens: TokenSource,
        usage: UsagePoller,
        catalogues: Catalogues,
        sockets: UpstreamSockets,
        claims: Claims,
    ) -> None:
        self._claims = claims
        self.members = 1  # processes that ask once a second together
        self._pool = pool
        self.tokens = tokens
        self._usage = usage
        self._catalogues = catalogues
        self._sockets = sockets
        self._dockets: dict[Question, _Docket] = {}
        self._open: dict[Question, None] = {}  # in the order they came up
        self._came_up = asyncio.Event()
        self._flights: dict[int, asyncio.Task[Ruling]] = {}
        # Tokens that were refused when they were new, by account.
        self._refused_fresh: dict[int, tuple[Secret | None, float]] = {}
        usage.token_refused.subscribe(self._note_token_refused)

    def note_failure(self, met: Met) -> None:
        """Ask the judge of what a client's request met."""
        blames = KINDS[kind_of(met.failure)].blames
        if blames in _JUDGED or blames is Blame.SOCKETS:
            self._ask(Question(met.account.id, blames is Blame.SOCKETS))

    async def run(self) -> None:
        """Ask what is open, for ever; its owner cancels it."""
        for account in self._pool.accounts.values():
            # A login that an earlier release took for ended may not be.
            if account.health.login_reason is not None and not account.health.login_by:
                self._ask(Question(account.id, is_handshake=False))
        while True:
            pause = self._next_due()
            if pause is None:
                self._came_up.clear()
                await self._came_up.wait()
            elif pause > 0:
                await asyncio.sleep(min(pause, CALL_SPACING))
            else:
                await self._answer_first()
                spacing = CALL_SPACING * self.members
                await asyncio.sleep(spacing * random.uniform(1.0, 1.1))

    async def renew(
        self, account: Account, used: Secret | None, *, waits: bool = False
    ) -> bool:
        """Whether a turn that met a 401 is to be repeated: its account has a new token.

        `used` is the token that was refused. Waits for the judge and the refresh, and
        before, until the judge may be asked again; after an answer to another turn
        that met a 401 only if it `waits`.
        """
        if not account.is_chatgpt or account.credentials.access_token != used:
            return account.is_chatgpt
        docket = self._docket(Question(account.id, is_handshake=False))
        # Not its longer pause: what other clients drew may have led to that.
        answered_at = docket.answered_at
        pause = answered_at + FIRST_JUDGE_PAUSE - time.monotonic()
        waits = waits or not docket.is_of_401
        if pause > 0 and waits:
            await asyncio.sleep(pause)
        if (waits or pause <= 0) and docket.answered_at == answered_at:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._judge_and_refresh(account, used)
            except (TimeoutError, StoreUnavailable):
                pass  # what was begun goes on; the request waits no longer
            docket.is_of_401 = True
        return account.credentials.access_token != used

    async def _judge_and_refresh(self, account: Account, used: Secret | None) -> None:
        is_open = await self.ask(account, None) is Ruling.NONE
        if is_open and account.credentials.access_token == used:
            # The judge decides nothing: the token may still be old.
            await self.tokens.refresh_after_401(account, used)

    async def ask(
        self, account: Account, seconds: float | None = ANSWER_SECONDS
    ) -> Ruling:
        """What the judge says of an account now; NONE, too, when it takes longer."""
        flight = self._flight(account)
        await asyncio.wait({flight}, timeout=seconds)
        is_ruled = flight.done() and not flight.cancelled() and not flight.exception()
        return flight.result() if is_ruled else Ruling.NONE

    async def close(self) -> None:
        """End the calls that requests have waited for."""
        for flight in self._flights.values():
            flight.cancel()
        await asyncio.gather(*self._flights.values(), return_exceptions=True)

    def _ask(self, question: Question) -> None:
        if question.account_id not in self._flights:
            self._open.setdefault(question)
            self._came_up.set()

    def _next_due(self) -> float | None:
        """Seconds until a question may be asked; None when there is none."""
        now = time.monotonic()
        pauses = [self._docket(question).next_at - now for question in self._open]
        return min(pauses, default=None)

    async def _answer_first(self) -> None:
        now = time.monotonic()
        question = next(q for q in self._open if self._docket(q).next_at <= now)
        del self._open[question]
        account = self._pool.accounts.get(question.account_id)
        if account is None:
            self._dockets.pop(question, None)
        elif not await self._is_mine(question):
            self._docket(question).next_at = time.monotonic() + ANSWER_SECONDS
            self._open.setdefault(question)
        elif question.is_handshake:
            await self._within(question, self._shake_hands(account))
        else:
            await self.ask(account)

    async def _is_mine(self, question: Question) -> bool:
        """Whether no other process asks it; while the database is away, nobody does."""
        if self.members == 1:
            return True
        name = f"judge:{question.account_id}:{question.is_handshake}"
        try:
            return await self._claims.take(name, 2 * ANSWER_SECONDS)
        except StoreUnavailable:
            return True

    def _flight(self, account: Account) -> "asyncio.Task[Ruling]":
        """The one call about an account's token that is under way."""
        flight = self._flights.get(account.id)
        if flight is None:
            question = Question(account.id, is_handshake=False)
            self._open.pop(question, None)
            flight = asyncio.create_task(self._within(question, self._call(account)))
            self._flights[account.id] = flight
            flight.add_done_callback(lambda _: self._flights.pop(account.id, None))
        return flight

    async def _within(self, question: Question, call: Awaitable[Ruling]) -> Ruling:
        """Make one call, and put off the next about the same."""
        ruling = Ruling.NONE
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                ruling = await call
        except TimeoutError:
            pass  # silence decides nothing
        finally:
            docket = self._docket(question)
            docket.answered_at, docket.is_of_401 = time.monotonic(), False
            docket.next_at = docket.answered_at + docket.pause * random.uniform(
                1.0, 1.1
            )
            longer = min(LONGEST_JUDGE_PAUSE, 2 * docket.pause)
            docket.pause = longer if ruling is Ruling.WELL else FIRST_JUDGE_PAUSE
        return ruling

    async def _call(self, account: Account) -> Ruling:
        if not account.is_chatgpt:
            return await self._catalogues.refresh(account)
        return await self._usage.poll(account)

    def _note_token_refused(self, refused: tuple[Account, Secret | None]) -> None:
        account, before = refused
        token, now = account.credentials.access_token, time.monotonic()
        known, _ = self._refused_fresh.get(account.id, (None, 0.0))
        if token not in (before, None) or token == known:
            self._refused_fresh[account.id] = token, now
        recent = [
            one
            for one, (_, at) in self._refused_fresh.items()
            if at > now - FRESH_TOKENS_SECONDS
        ]
        if len(recent) > 1:
            for account_id in recent:
                if (other := self._pool.accounts.get(account_id)) is not None:
                    self._pool.observer.acquit(other)

    async def _shake_hands(self, account: Account) -> Ruling:
        try:
            await self.tokens.ensure_fresh(account)
            headers = {**account_headers(account), "user-agent": USER_AGENT}
            socket = await self._sockets.connect(account, headers, None)
        except UpstreamFault as fault:
            if kind_of(fault.failure) is not FailureKind.NO_SOCKETS:
                return Ruling.NONE
            self._pool.observer.rule(account, fault.failure, "a handshake")
            return Ruling.REFUSED
        await socket.close()
        return Ruling.WELL

    def _docket(self, question: Question) -> _Docket:
        return self._dockets.setdefault(question, _Docket())
