"""How long the next guess has to wait: by address and by account, never for good.

Every guess is counted before it is checked, so that a hundred at once are one, and
forgiven when it was right. A guess within the wait is not checked, and lengthens it by
nothing.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from gateway.errors import GatewayError
from gateway.protocol.facts import Origin

FIRST_WAIT = 1.0  # seconds; it doubles
# An attacker gets 120 guesses an hour; who mistypes does not give up.
LONGEST_GUESS_WAIT = 30.0
FORGOTTEN_AFTER = 3600.0
# Members' clocks are no further apart.
CLOCKS_APART = 60.0
# Of codes that are short: a person who mistypes has read it wrong by then.
MOST_WRONG_CODES = 10
# About 1 MB; whoever guessed least is forgotten first.
MOST_SUBJECTS = 4096


class SignInTooSoon(GatewayError):
    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"
    origin: Origin = "client"

    def __init__(self, wait: float) -> None:
        seconds = max(1, round(wait + 0.5))
        super().__init__(f"Try again in {seconds} s", retry_after=seconds)


class Failures(NamedTuple):
    """How often, and when (unix seconds) for the last time."""

    guesses: int
    last_at: float


Counts = dict[str, Failures | None]  # by subject; None: nothing is held against it


def wait_after(failures: Failures | None, now: float) -> float:
    """Seconds until the next guess is taken."""
    if failures is None or not -CLOCKS_APART < now - failures.last_at < FORGOTTEN_AFTER:
        return 0.0  # also of a clock that was set back: nobody waits for that
    pause = min(LONGEST_GUESS_WAIT, FIRST_WAIT * 2.0 ** min(failures.guesses - 1, 30))
    return max(0.0, min(pause, failures.last_at + pause - now))


def hour_after_ten(failures: Failures | None, now: float) -> float:
    """Seconds until the next one is taken, of what would be guessed in time."""
    if failures is None or failures.guesses < MOST_WRONG_CODES:
        return 0.0
    left = failures.last_at + FORGOTTEN_AFTER - now
    return left if 0 < left < FORGOTTEN_AFTER + CLOCKS_APART else 0.0


Waits = Callable[[Failures | None, float], float]


class Delays:
    """The counts of all who guessed wrong within the hour, as far as there is room."""

    def __init__(self, most: int = MOST_SUBJECTS) -> None:
        self._most = most
        self._failures: dict[str, Failures] = {}

    def learn(self, counts: Counts) -> None:
        """Take over what is known elsewhere of some."""
        for subject, failures in counts.items():
            if failures is None:
                self._failures.pop(subject, None)
            else:
                self._failures[subject] = failures

    def count_guess(
        self, subjects: Iterable[str], now: float, waits: Waits = wait_after
    ) -> Counts:
        """Take a guess, as a wrong one; gives the counts before. Raises SignInTooSoon.

        It is counted for all subjects or, when one has to wait, for none.
        """
        before = self.check(subjects, now, waits)
        for subject, failures in before.items():
            is_old = failures is None or now - failures.last_at >= FORGOTTEN_AFTER
            count = 1 if failures is None or is_old else failures.guesses + 1
            self._failures[subject] = Failures(count, now)
        return before

    def check(
        self, subjects: Iterable[str], now: float, waits: Waits = wait_after
    ) -> Counts:
        """The counts of who need not wait. Raises SignInTooSoon."""
        held = self.counts(subjects)
        wait = max(waits(failures, now) for failures in held.values())
        if wait:
            raise SignInTooSoon(wait)
        return held

    def forgive(self, before: Counts) -> None:
        """It was right: everything is as it was, but for what others guessed since."""
        for subject, earlier in before.items():
            current = self._failures.get(subject)
            if current is None:
                continue
            count = 1 if earlier is None else earlier.guesses + 1
            if current.guesses > count:
                self._failures[subject] = current._replace(guesses=current.guesses - 1)
            elif earlier is None:
                del self._failures[subject]
            else:
                self._failures[subject] = earlier

    def counts(self, subjects: Iterable[str]) -> Counts:
        return {subject: self._failures.get(subject) for subject in subjects}

    def drop_surplus(self, now: float) -> list[str]:
        """Forget what is old, and the least of what is too many; gives their names."""
        old = [
            subject
            for subject, failures in self._failures.items()
            if now - failures.last_at >= FORGOTTEN_AFTER
        ]
        surplus = len(self._failures) - len(old) - self._most
        if surplus > 0:
            kept = self._failures.keys() - set(old)
            old += sorted(kept, key=lambda one: self._failures[one])[:surplus]
        for subject in old:
            del self._failures[subject]
        return old
