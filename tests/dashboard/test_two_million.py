"""How long pages take with 2,000,000 rows, through the threads that read for them.

Prints its figures; those of docs/dashboard.md are from here.
"""

import asyncio
import statistics
import time
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from gateway.admin.traffic.lately import conversation_rows, locality_lately
from gateway.store import models
from gateway.store.database import close_all, migrate, open_database
from gateway.store.log.log_rows import DAY_MS, HOUR_MS
from gateway.store.log.minutes import minutes_since
from gateway.store.log.queries import log_page
from gateway.store.log.usage_sums import usage_report
from gateway.store.models import now_ms
from gateway.store.pages.page_reads import PageReads
from tests.dashboard.long_log import empty, fill, filters, named_filters

pytestmark = [pytest.mark.dashboard, pytest.mark.nightly]

ROWS = 2_000_000
FILTER_MS, USAGE_MS = 100, 500
TIMES = 5


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request, tmp_path):
    url = f"sqlite:///{tmp_path}/gateway.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("server").url
    opened = open_database(url)
    models.database.initialize(opened)
    with opened.connection_context():
        migrate(opened)
        empty(opened)
    with opened.connection_context():
        fill(opened, ROWS)
    yield opened
    with opened.connection_context():
        empty(opened)
    close_all(opened)
    models.database.initialize(None)


def log_jobs():
    """Each filter's first page, one deep inside, and the one after that."""
    for name, wanted in filters():
        for place in ({}, {"before": ROWS // 3}, {"after": ROWS // 2}):
            yield f"filter: {name}", partial(log_page, wanted, **place)
    for name, wanted in named_filters():
        yield f"filter: {name}", partial(log_page, wanted)


def other_jobs():
    now = now_ms()
    zone = ZoneInfo("Europe/Berlin")
    for days, by in (
        *((7, (one,)) for one in ("key", "model", "account", "day", "hour")),
        *((7, ("day", "key")), (2, ("hour",)), (30, ("day",)), (30, ("week",))),
    ):
        since = now - days * DAY_MS
        job = partial(usage_report, by, since=since, zone=zone)
        yield f"usage of {days} days by {', '.join(by)}", job
    page = conversation_rows({})
    for wanted in ({}, {"key": "#2"}, {"moved": True}):
        yield "conversations", partial(conversation_rows, wanted)
    deep = partial(conversation_rows, {}, before=page[-1]["place"])
    yield "conversations", deep
    yield "conversations", partial(locality_lately, now / 1000)
    yield "minutes", partial(minutes_since, now - HOUR_MS, now)


async def measured(pages, jobs):
    """Milliseconds of each kind of job."""
    taken = {}
    for name, job in jobs:
        for _ in range(TIMES):
            started = time.perf_counter()
            await pages.read(job)
            took = 1000 * (time.perf_counter() - started)
            taken.setdefault(name, []).append(took)
    return taken


def test_every_page_is_there_soon(shared, request):
    pages = PageReads()
    pages.open(shared)
    with shared.connection_context():
        logs, others = list(log_jobs()), list(other_jobs())
    taken = asyncio.run(measured(pages, [*logs, *others]))
    pages.close()
    late = []
    print(f"\n{request.node.name}: {ROWS:,} rows; n, median, p95, longest (ms)")
    for name, times in taken.items():
        cuts = statistics.quantiles(times, n=20, method="inclusive")
        print(
            f"{name:<40} {len(times):>5} {cuts[9]:>7.1f} {cuts[18]:>7.1f} "
            f"{max(times):>7.1f}"
        )
        bar = USAGE_MS if name.startswith("usage") else FILTER_MS
        if cuts[18] > bar:
            late.append((name, cuts[18]))
    assert late == []
