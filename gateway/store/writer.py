"""The one thread that writes: batches of rows, and jobs in order.

Nothing here makes the caller wait. Trouble with the database (full disk, lock,
lost server) keeps what waits in bounded memory and is tried again until it ends.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import peewee as pw

from gateway.errors import forget_traceback
from gateway.store.batches import Batches
from gateway.store.database import (
    StoreUnavailable,
    describe,
    disconnect,
    is_trouble,
    translated_errors,
)
from gateway.store.log.log_rows import LogRow
from gateway.store.log.partitions import has_no_partition, make_partitions
from gateway.store.log.refusals import LightRow
from gateway.store.shared.brief_transaction import brief_transaction
from gateway.store.write_queue import Backlog, Batch, Job, StoredHealth

logger = logging.getLogger("gateway.store")

# Seconds. The last is short enough for a disk that has room again to be used soon.
FIRST_RETRY = 0.25
LAST_RETRY = 5.0
# A transaction that began before the time was over may end.
STOP_GRACE = 10.0


class Writer:
    """`log`, `bind` and `save_state` never wait and never fail."""

    def __init__(self, *, capacity: int) -> None:
        self.last_error: str | None = None  # None: the last try went well
        self.written = 0  # log rows
        self.failures = 0  # of the thread, which goes on
        self.batches = Batches()
        self._backlog = Backlog(capacity)
        self._lost = 0  # rows the database would not have, or left at the end
        self._held: Batch | None = None  # what could not be written yet
        self._retry_at = 0.0  # monotonic
        self._retry_after = FIRST_RETRY
        self._give_up_at = float("inf")  # monotonic
        self._thread: threading.Thread | None = None
        self._database: pw.Database

    # From any thread.

    def log(self, row: LogRow) -> None:
        """Have one exchange logged; `row` has the columns of `request_log`.

        It is the writer's from now on. Texts are cut to their columns' lengths.
        """
        self._backlog.put_row(row)

    def refuse(self, row: LightRow) -> None:
        """Have a refused request's light row written; it waits with few others."""
        self._backlog.put_refusal(row)

    def bind(self, key: str, account_id: int, used_at: int) -> None:
        """Remember a binding; `key` of at most 80 characters, `used_at` in unix ms."""
        self._backlog.put_binding(key, (account_id, used_at))

    def save_state(self, account_id: int, state: StoredHealth) -> None:
        self._backlog.put_state(account_id, state)

    def submit(self, function: Callable[..., Any], *args: Any) -> "Future[Any]":
        """Run a function on the thread, in a transaction, after all put in before.

        Raises StoreUnavailable when the writer has ended or has too much to do;
        the future has it when the database does not take the change.
        """
        job = self._backlog.put_job(function, args)
        if job is None:
            raise StoreUnavailable
        return job.future

    @property
    def dropped(self) -> int:
        """Rows and bindings that were not written and never will be."""
        return self._backlog.dropped + self._lost

    @property
    def queue_depth(self) -> int:
        """Log rows that wait."""
        held = self._held
        return len(self._backlog) + (len(held.rows) if held else 0)

    @property
    def lag_seconds(self) -> float:
        """How long the oldest row that waits has waited."""
        held = self._held
        rows = held.rows if held else []
        oldest = rows[0][0] if rows else self._backlog.oldest
        return 0.0 if oldest is None else time.monotonic() - oldest

    def start(self, database: pw.Database) -> None:
        self._database = database
        self._thread = threading.Thread(
            target=self._run, name="store-writer", daemon=True
        )
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Write what waits, for at most so many seconds, and end. Blocks."""
        self._give_up_at = time.monotonic() + timeout
        self._backlog.close()
        if self._thread is None:
            return
        self._thread.join(timeout + STOP_GRACE)
        if self._thread.is_alive():
            logger.error("a write did not end; the process ends without it")

    # On the thread.

    def _run(self) -> None:
        try:
            while not self._is_done():
                try:
                    self._work()
                except Exception as error:  # noqa: BLE001
                    # Nobody else would write what comes.
                    self._fail(error)
        finally:
            disconnect(self._database)

    def _work(self) -> None:
        if self._held is None:
            self._backlog.wait()
        else:
            self._backlog.wait_for_job(self._pause())
        self._write_waiting()
        self._run_jobs()

    def _fail(self, error: Exception) -> None:
        """Note what nothing here foresaw; what waits is tried again after a pause."""
        self.failures += 1
        pause = FIRST_RETRY if self._backlog.is_closed else self._retry_after
        self._retry_after = min(2 * pause, LAST_RETRY)
        logger.error("the writer failed, goes on in %.2f s: %s", pause, describe(error))
        time.sleep(pause)

    def _pause(self) -> float:
        """Seconds until what is held is tried again; at the end there is no time."""
        if self._backlog.is_closed:
            return FIRST_RETRY
        return self._retry_at - time.monotonic()

    def _is_done(self) -> bool:
        if not self._backlog.is_closed:
            return False
        if self._held is None and not self._backlog.has_any:
            return True
        if time.monotonic() < self._give_up_at:
            return False
        left = self.queue_depth
        self._lost += left
        logger.error("the database took no more at the end: %d log rows lost", left)
        for job in self._backlog.cancel_jobs():
            job.future.set_exception(StoreUnavailable())
        return True

    def _write_waiting(self) -> None:
        if self._held is None:
            self._held = self._backlog.take() or None
        elif not self._backlog.is_closed and time.monotonic() < self._retry_at:
            return
        if self._held is None:
            return
        try:
            self._write(self._held)
        except Exception as error:  # noqa: BLE001
            # The thread must survive: the next try may find the disk back.
            self._back_off(error)
        else:
            self._held = None
            self._recover()

    def _write(self, batch: Batch) -> None:
        if not batch.is_split:
            try:
                self._write_whole(batch)
            except Exception as error:
                if is_trouble(error):
                    raise
                told = describe(error)
                logger.warning("a batch was refused, now row by row: %s", told)
                batch.is_split = True
            else:
                self.written += len(batch.rows)
                return
        # Only what cannot be written is lost; what is done leaves the batch.
        for part in batch.parts():
            self._write_part(part)

    def _write_whole(self, batch: Batch) -> None:
        try:
            self.batches.write(self._database, batch)
        except Exception as error:
            if not has_no_partition(error):
                raise
            days = {int(row["created_at"]) for _, row in batch.rows}
            make_partitions(self._database, days)
            self.batches.write(self._database, batch)

    def _write_part(self, part: Batch) -> None:
        try:
            self.batches.write(self._database, part)
        except Exception as error:
            if is_trouble(error):
                raise
            self._lost += max(1, len(part.rows) + len(part.bindings))
            logger.error("not written: %s", describe(error))
        else:
            self.written += len(part.rows)

    def _back_off(self, error: Exception) -> None:
        if self.last_error is None:
            logger.warning("the database takes no rows, they wait: %s", describe(error))
        self.last_error = describe(error)
        self._retry_at = time.monotonic() + self._retry_after
        self._retry_after = min(2 * self._retry_after, LAST_RETRY)
        # A connection opened on a read-only disk stays read-only.
        disconnect(self._database)

    def _recover(self) -> None:
        if self.last_error is not None:
            logger.warning("the database takes rows again, %d wait", self.queue_depth)
        self.last_error = None
        self._retry_after = FIRST_RETRY

    def _run_jobs(self) -> None:
        while job := self._backlog.take_job(any_order=self._held is not None):
            self._run_job(job)
            if self._held is not None and not self._retry_at:
                return  # it went through: what is held has its turn before the next

    def _run_job(self, job: Job) -> None:
        if not job.future.set_running_or_notify_cancel():
            return
        try:
            with translated_errors(), brief_transaction(self._database):
                result = job.function(*job.args)
        except Exception as error:  # noqa: BLE001
            # It is the caller's, who waits for it.
            if isinstance(error, StoreUnavailable):
                # Its frames hold a cursor, and with it a connection open that is
                # closed: one that can only read would keep the next from writing.
                forget_traceback(error)
                disconnect(self._database)
            job.future.set_exception(error)
        else:
            self._retry_at = 0.0  # what is held may go in, too
            job.future.set_result(result)
