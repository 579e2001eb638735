"""Claims: of several processes, one does what is to be done once."""

from gateway.store import models
from gateway.store.shared.tables import ClaimRow, database_now_ms
from gateway.store.store import Store


class Claims:
    """Taken for a time by the database's clock; of one that ended, anybody's again.

    Who holds one and was stopped for longer than that no longer has it: what it then
    does must be harmless, or noticed by what it writes.
    """

    member_id = 0  # whose claims: this process, once it has joined

    def __init__(self, store: Store) -> None:
        self._store = store

    async def take(self, name: str, seconds: float) -> bool:
        """Whether it is this process's now; False while anybody has it, it too.

        Raises StoreUnavailable.
        """
        return await self._store.transact(_take, name, self.member_id, seconds)

    async def release(self, name: str) -> None:
        """Give it up before its time; another's stays. Raises StoreUnavailable."""
        await self._store.transact(_release, name, self.member_id)


def _take(name: str, member_id: int, seconds: float) -> bool:
    now = database_now_ms(models.database.obj)
    row = {"member_id": member_id, "until": now + round(seconds * 1000)}
    taken = (
        ClaimRow.insert(name=name, **row)
        .on_conflict(
            conflict_target=[ClaimRow.name], update=row, where=ClaimRow.until <= now
        )
        .as_rowcount()
        .execute()
    )
    return bool(taken)


def _release(name: str, member_id: int) -> None:
    mine = (ClaimRow.name == name) & (ClaimRow.member_id == member_id)
    ClaimRow.delete().where(mine).execute()
