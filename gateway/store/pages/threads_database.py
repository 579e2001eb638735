"""Which database the tables are read from: the process's, or a thread's own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import peewee as pw


class ThreadsDatabase(pw.DatabaseProxy):
    """The process's database; for a thread that was given its own, that one."""

    __setattr__ = object.__setattr__  # type: ignore[assignment]

    def __init__(self) -> None:
        self._threads = threading.local()
        super().__init__()

    @property
    def obj(self) -> Any:
        return getattr(self._threads, "own", self._shared)

    @obj.setter
    def obj(self, shared: Any) -> None:
        self._shared = shared

    @contextmanager
    def replaced(self, own: pw.Database) -> Iterator[None]:
        """Have this thread use `own` for as long as it is in here."""
        self._threads.own = own
        try:
            yield
        finally:
            del self._threads.own
