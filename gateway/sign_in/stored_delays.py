"""The counts of wrong guesses in the database: of all members, and over a restart."""

from collections.abc import Iterable

from gateway.sign_in.delays import (
    FORGOTTEN_AFTER,
    MOST_SUBJECTS,
    Counts,
    Delays,
    Failures,
    SignInTooSoon,
    Waits,
)
from gateway.store.users.tables import FailedSignInRow

# In a transaction.


def count_stored(
    subjects: Iterable[str], now: float, waits: Waits
) -> tuple[Counts | None, Counts]:
    """Take a guess, as a wrong one: the counts before it, and those that hold now.

    None before it: it came too soon, and is not counted.
    """
    delays = _locked(subjects, now)
    try:
        before = delays.count_guess(subjects, now, waits)
    except SignInTooSoon:
        before = None
    held = delays.counts(subjects)
    _keep(held, now)
    return before, held


def forgive_stored(before: Counts, now: float) -> None:
    """It was right, as `Delays` forgives."""
    delays = _locked(before, now)
    delays.forgive(before)
    _keep(delays.counts(before), now)


def _locked(subjects: Iterable[str], now: float) -> Delays:
    """Their counts, which no other process changes until the transaction ends."""
    table, delays = FailedSignInRow, Delays()
    for subject in sorted(subjects):
        row = {"subject": subject, "failures": 0, "last_at": int(now * 1000)}
        same = {table.failures: table.failures}
        insert = table.insert(row)
        insert.on_conflict(conflict_target=[table.subject], update=same).execute()
    rows = table.select().where(
        table.subject.in_(list(subjects)) & (table.failures > 0)
    )
    delays.learn(
        {row.subject: Failures(row.failures, row.last_at / 1000) for row in rows}
    )
    return delays


def _keep(counts: Counts, now: float) -> None:
    table = FailedSignInRow
    for subject, failures in counts.items():
        if failures is not None:
            last_at = int(failures.last_at * 1000)
            row = table.update(failures=failures.guesses, last_at=last_at)
            row.where(table.subject == subject).execute()
    gone = [subject for subject, failures in counts.items() if failures is None]
    is_old = table.last_at < int((now - FORGOTTEN_AFTER) * 1000)
    table.delete().where(is_old | table.subject.in_(gone)).execute()
    surplus = table.select().count() - MOST_SUBJECTS
    if surplus > 0:
        least = table.select(table.subject).order_by(table.failures, table.last_at)
        table.delete().where(table.subject.in_(least.limit(surplus))).execute()
