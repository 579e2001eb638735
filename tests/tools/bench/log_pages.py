"""How long log pages and reports take: `python -m tests.tools.bench.log_pages FILE`.

FILE is made by `tests.tools.bench.generate_log`. Every combination of filters is asked
for common, rare and absent values, from the top and from deep inside; each read opens
its own connection, as the gateway's do.
"""

import argparse
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from gateway.store import models
from gateway.store.database import open_database
from gateway.store.log.log_rows import DAY_MS
from gateway.store.log.queries import (
    LogFilter,
    find_log,
    log_page,
)
from gateway.store.log.usage_sums import GROUPINGS, usage_report
from gateway.store.models import RequestLog
from tests.tools.bench.generate_log import MODELS

VALUES = {
    "api_key_id": (1, 2, 40, 999),
    "account_id": (2, 8, 99),
    "model": (MODELS[0], MODELS[1], MODELS[9], "none"),
    "status": ("success", "error", "interrupted"),
}
BUDGET_MS = 100.0


def filters(since: int) -> Iterator[tuple[str, LogFilter]]:
    for count in range(len(VALUES) + 1):
        for names in itertools.combinations(VALUES, count):
            for start, label in ((None, ""), (since, " since")):
                for values in itertools.product(*(VALUES[name] for name in names)):
                    wanted: dict[str, Any] = dict(zip(names, values, strict=True))
                    title = "+".join(names) or "no filter"
                    yield title + label, LogFilter(**wanted, since=start)


def measure(
    jobs: Iterator[tuple[str, Callable[[], object]]],
) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {}
    for title, job in jobs:
        started = time.perf_counter()
        with models.database.connection_context():
            job()
        taken.setdefault(title, []).append(1000 * (time.perf_counter() - started))
    return taken


def pages(cursors: list[int], now: int) -> Iterator[tuple[str, Callable[[], object]]]:
    chance = random.Random(1)
    for title, wanted in filters(now - 7 * DAY_MS):
        for before in (None, chance.choice(cursors), chance.choice(cursors)):
            yield title, partial(log_page, wanted, before=before)


def reports(now: int) -> Iterator[tuple[str, Callable[[], object]]]:
    for by in GROUPINGS:
        for number in range(20):
            since = now - 30 * DAY_MS - number * 1000
            yield f"30 days by {by}", partial(usage_report, (by,), since=since)
            yield (
                f"30 days by {by}, one key",
                partial(usage_report, (by,), since=since, api_key_id=1),
            )


def show(taken: dict[str, list[float]]) -> bool:
    worst = 0.0
    print(f"{'what':<48}{'n':>6}{'p50':>8}{'p95':>8}{'max':>8}  ms")
    for title, times in taken.items():
        cuts = statistics.quantiles(times, n=20, method="inclusive")
        worst = max(worst, cuts[18])
        print(
            f"{title:<48}{len(times):>6}{cuts[9]:>8.1f}{cuts[18]:>8.1f}{max(times):>8.1f}"
        )
    print(f"worst p95: {worst:.1f} ms")
    return worst < BUDGET_MS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    database = open_database(f"sqlite:///{options.file.absolute()}")
    models.database.initialize(database)
    with database.connection_context():
        last = RequestLog.select().order_by(RequestLog.id.desc()).get()
        chance = random.Random(2)
        cursors = [chance.randrange(1, last.id) for _ in range(200)]
        names = [row["request_id"] for row in log_page(LogFilter(), limit=100)]
    is_fast = show(
        measure(pages(cursors, last.created_at))
        | measure(reports(last.created_at))
        | measure(("one row by prefix", partial(find_log, name[:12])) for name in names)
    )
    if not is_fast:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
