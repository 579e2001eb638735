"""The counts of wrong guesses in the database, so that a restart forgives nothing."""

from collections.abc import Iterable

from gateway.sign_in.delays import FORGOTTEN_AFTER, Counts
from gateway.store.models import now_ms
from gateway.store.users.tables import FailedSignInRow


def load_counts() -> list[tuple[str, int, float]]:
    """Subject, guesses, and the last one in unix seconds."""
    rows = FailedSignInRow.select().where(FailedSignInRow.last_at > _cutoff())
    return [(row.subject, row.failures, row.last_at / 1000) for row in rows]


def keep_counts(counts: Counts, forgotten: Iterable[str]) -> None:
    """Store how it is with some, and remove others."""
    table = FailedSignInRow
    gone = [*forgotten, *(one for one, held in counts.items() if held is None)]
    table.delete().where(
        (table.last_at < _cutoff()) | table.subject.in_(gone)
    ).execute()
    for subject, failures in counts.items():
        if failures is not None:
            row = {
                "failures": failures.guesses,
                "last_at": int(failures.last_at * 1000),
            }
            table.insert(subject=subject, **row).on_conflict(
                conflict_target=[table.subject], update=row
            ).execute()


def _cutoff() -> int:
    return now_ms() - int(FORGOTTEN_AFTER * 1000)
