"""A database as a first start makes it: a copy, which is 30 ms sooner there."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.store.database import close_all, migrate, open_database


def lay_new_database(path):
    """Put one there, unless there is one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(0o600)
        path.write_bytes(_migrated())


@cache
def _migrated():
    with TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.db"
        database = open_database(f"sqlite:///{path}")
        with database.connection_context():
            migrate(database)
        close_all(database)
        return path.read_bytes()
