"""What happens to the accounts of a soak: random, from a seed, and remembered."""

import asyncio
import random
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import asdict, dataclass, field
from math import inf

from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse
from gateway.demo.scenarios import default_answer, with_limits
from gateway.demo.side import side_answer
from tests import upstream_faults

# What lasts for a while, with the seconds it may take.
LASTING = {
    "limit": (4.0, 20.0),
    "resets": (2.0, 8.0),
    "500": (2.0, 8.0),
    "503": (2.0, 8.0),
    "paused": (2.0, 10.0),
}
# What happens in one moment: to the tokens, or to the open sockets.
SUDDEN = ("token", "sockets")
# What befalls a single request, with its probability.
SINGLE = {
    "server_error": 0.01,
    "unavailable": 0.005,
    "overloaded": 0.005,
    "rate_limited": 0.003,
    "reset": 0.01,
    "cut before the commit": 0.01,
    "cut after the commit": 0.01,
}
# Upstream's own words bar an account for so long: a wait, the rest of a whole second.
TOLD_WAIT = 1.5
ROUNDING = 1.0
SEEN_EVENTS = 5  # up to here no item is complete, so the client keeps nothing
LONGEST_STROKE = 60.0  # three times as long as planned, on a busy machine
MOST_AT_ONCE = 3  # accounts in trouble
PAUSES = (0.5, 3.0)  # seconds between two strokes


@dataclass(slots=True)
class Stroke:
    """Trouble of one account; monotonic seconds."""

    account: str
    kind: str
    begin: float
    until: float  # as planned
    end: float = inf  # while it lasts


def _began(stroke):
    return stroke.begin


@dataclass(slots=True)
class Record:
    """What has happened, for the verdict."""

    accounts: list
    strokes: list = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    cuts: int = 0  # of answers that had begun

    def told(self):
        """As JSON can hold it."""
        strokes = [asdict(stroke) for stroke in self.strokes]
        return {
            "accounts": self.accounts,
            "strokes": strokes,
            "counts": dict(self.counts),
            "cuts": self.cuts,
        }

    @classmethod
    def of(cls, told):
        """From what `told` gave."""
        strokes = [Stroke(**one) for one in told["strokes"]]
        return cls(told["accounts"], strokes, Counter(told["counts"]), told["cuts"])

    def was_well(self, account, begin, end):
        """Whether nothing was wrong with it from `begin` to `end`."""
        first = bisect_left(self.strokes, begin - LONGEST_STROKE, key=_began)
        until = bisect_right(self.strokes, end, key=_began)
        return not any(
            stroke.account == account and stroke.end >= begin
            for stroke in self.strokes[first:until]
        )

    def who_was_well(self, begin, end):
        return [one for one in self.accounts if self.was_well(one, begin, end)]


class Weather:
    """Answers for the scripted upstream, and says afterwards who was well when."""

    def __init__(self, upstream, operator, seed):
        self._upstream = upstream
        self._operator = operator  # `await operator(account, "pause")`
        self._rng = random.Random(seed)
        self.record = Record(list(upstream.accounts))
        self._is_over = False
        self._now = {}  # account → its lasting stroke
        for route in ("responses", "prewarm", "handshake", "compact"):
            upstream.answer(self._answer, route=route, times=None)
        upstream.answer(self._usage, route="usage", times=None)

    async def run(self, seconds):
        """Strike for so long, then let all accounts recover."""
        end = time.monotonic() + seconds
        async with asyncio.TaskGroup() as strokes:
            while time.monotonic() < end:
                await asyncio.sleep(self._rng.uniform(*PAUSES))
                strokes.create_task(self._strike())
        self._is_over = True

    async def _strike(self):
        names = list(self._upstream.accounts)
        name = self._rng.choice(names)
        kind = self._rng.choice((*LASTING, *SUDDEN))
        if name in self._now or (kind in LASTING and len(self._now) >= MOST_AT_ONCE):
            return
        if kind in SUDDEN:
            self._note(name, kind)
            await self._happen(name, kind)
            return
        seconds = self._rng.uniform(*LASTING[kind])
        stroke = self._now[name] = self._note(name, kind, seconds)
        if kind == "paused":
            await self._operator(name, "pause")
        await asyncio.sleep(seconds)
        if kind == "paused":
            await self._operator(name, "resume")
        del self._now[name]
        stroke.end = time.monotonic() + (ROUNDING if kind == "limit" else 0.0)

    async def _happen(self, name, kind):
        if kind == "token":
            self._upstream.auth.expire(name)
            return
        for conversation in list(self._upstream.open_sockets):
            if conversation.handshake.account == name:
                self.record.cuts += conversation.is_answering
                await conversation.ws.close(code=1012)

    def _note(self, name, kind, seconds=0.0):
        self.record.counts[kind] += 1
        now = time.monotonic()
        stroke = Stroke(name, kind, now, now + seconds, inf if seconds else now)
        self.record.strokes.append(stroke)
        return stroke

    def _answer(self, received):
        lasting = self._now.get(received.account)
        if lasting is not None and lasting.kind != "paused":
            return self._trouble(lasting)
        if received.route == "handshake":
            return ScriptedResponse(status=101)
        if received.route == "compact":
            return side_answer(received, self._upstream.accounts[received.account])
        answer = default_answer(received)
        if received.route == "prewarm" or answer.status != 200:
            return answer
        answer = self._singled_out(received, answer)
        if answer.status != 200 or answer.before:
            return answer
        answer = faults.paced(answer, 0.01)
        account = self._upstream.accounts[received.account]
        return with_limits(answer, account) if _is_socket(received) else answer

    def _trouble(self, stroke):
        left = max(0.0, stroke.until - time.monotonic())
        return {
            "limit": lambda: faults.usage_limit(left),
            "resets": upstream_faults.reset_before_headers,
            "500": faults.server_error,
            "503": lambda: faults.unavailable(self._rng.choice((None, 1, 2))),
        }[stroke.kind]()

    def _singled_out(self, received, answer):
        (kind,) = self._rng.choices(
            ("", *SINGLE), (1 - sum(SINGLE.values()), *SINGLE.values())
        )
        if not kind or self._is_over:
            return answer
        stroke = self._note(received.account, kind)
        if kind == "rate_limited":
            stroke.end += TOLD_WAIT
        if kind.startswith("cut"):  # Codex is told so inside the stream, either way
            self.record.cuts += 1
        return {
            "server_error": faults.server_error,
            "unavailable": faults.unavailable,
            "overloaded": faults.overloaded,
            "rate_limited": lambda: upstream_faults.rate_limited(TOLD_WAIT),
            "reset": upstream_faults.reset_before_headers,
            "cut before the commit": lambda: faults.cut_after(answer, 2),
            "cut after the commit": lambda: faults.cut_after(answer, SEEN_EVENTS),
        }[kind]()

    def _usage(self, received):
        """The truth about the windows, for whoever asks for it."""
        lasting = self._now.get(received.account)
        is_limited = lasting is not None and lasting.kind == "limit"
        left = lasting.until - time.monotonic() if is_limited else 9_000
        window = {
            "used_percent": 100 if is_limited else 12,
            "limit_window_seconds": 18_000,
            "reset_after_seconds": round(left),
            "reset_at": round(time.time() + left),
        }
        limit = {
            "allowed": not is_limited,
            "limit_reached": is_limited,
            "primary_window": window,
        }
        return ScriptedResponse.json({"plan_type": "plus", "rate_limit": limit})


def _is_socket(received):
    return received.transport == "websocket"
