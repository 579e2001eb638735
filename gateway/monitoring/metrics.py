"""Metrics for Prometheus: counters from log rows, gauges read when scraped."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.accounts.health import AccountStatus
from gateway.errors import GatewayError
from gateway.monitoring.observed import Observed
from gateway.monitoring.recorder.loop_metrics import LoopMetrics

NAMESPACE = "codex_gateway"
# A first event within a tenth of a second up to the longest that is waited for.
FIRST_EVENT_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_TOKENS = tuple(
    (kind, f"{kind}_tokens")
    for kind in ("input", "cached", "cache_write", "output", "reasoning")
)
# The origins of refusals; errors of others are failures.
_REFUSING = ("client", "gateway")
# A fault of ours, which is no refusal.
_DEFECT = {GatewayError.code}


class Metrics:
    """All series of one gateway, in a registry of its own."""

    def __init__(self, gateway: Observed) -> None:
        self._gateway = gateway
        # What the library's counters do not have yet. They are read once in some
        # seconds, and would take 4.2 µs of every turn where this takes 2.4.
        self._counted: defaultdict[tuple[Counter, tuple[str, ...]], float]
        self._counted = defaultdict(float)
        registry = self.registry = CollectorRegistry()
        self._own_codes = own_codes() - _DEFECT
        counter = partial(Counter, namespace=NAMESPACE, registry=registry)
        self._requests = counter(
            "requests",
            "Exchanges that ended.",
            ("surface", "transport", "status", "account"),
        )
        first_event = Histogram(
            "first_event_seconds",
            "From the request to the first event of its answer.",
            ("surface", "transport"),
            namespace=NAMESPACE,
            registry=registry,
            buckets=FIRST_EVENT_BUCKETS,
        )
        # Finding a series takes the library longer than counting in it.
        self._first_event_of = lru_cache(32)(first_event.labels)
        self._tokens = counter(
            "tokens",
            "Tokens of answers; input includes cached, output includes reasoning.",
            ("kind", "account"),
        )
        self._cost = counter(
            "cost_dollars",
            "Cost of answers with a known price.",
            ("account",),
        )
        self._refusals = counter(
            "refusals",
            "Requests refused by the gateway itself, by error code.",
            ("code",),
        )
        self.connections_refused = counter(
            "connections_refused",
            "Connections answered 503, for there were too many.",
        )
        self.accept_pauses = counter(
            "accept_pauses",
            "Times that no descriptor was left to accept a connection with.",
        )
        self.loop = LoopMetrics(registry, NAMESPACE)
        registry.register(Gauges(gateway))
        ProcessCollector(namespace=NAMESPACE, registry=registry)

    def observe(self, row: Mapping[str, Any]) -> None:
        """Count one exchange from its log row."""
        account = self._account(row["account_id"])
        counted = self._counted
        transport = row["surface"], row["transport"]
        counted[self._requests, (*transport, row["status"], account)] += 1
        if row["first_event_ms"] is not None:
            seconds = row["first_event_ms"] / 1000
            self._first_event_of(*transport).observe(seconds)
        for kind, column in _TOKENS:
            if row[column] > 0:
                counted[self._tokens, (kind, account)] += row[column]
        if row["cost_microdollars"]:
            counted[self._cost, (account,)] += row["cost_microdollars"] / 1_000_000
        code = row["error_code"]
        if row["error_origin"] in _REFUSING and code in self._own_codes:
            self.refuse(code)

    def refuse(self, code: str) -> None:
        """Count a request that was turned away; `code` is one of ours.

        Called for requests that are not admitted, and leave no row.
        """
        self._refusals.labels(code).inc()

    def text(self) -> bytes:
        """The exposition format; some milliseconds of CPU."""
        for (counter, labels), amount in self._counted.items():
            counter.labels(*labels).inc(amount)
        self._counted.clear()
        return generate_latest(self.registry)

    def _account(self, account_id: int | None) -> str:
        account = self._gateway.pool.accounts.get(account_id or 0)
        return "" if account is None else account.name


def own_codes() -> set[str]:
    """The codes of the gateway's own errors; upstream's have no bound."""
    codes: set[str] = set()
    found = [GatewayError]
    while found:
        error = found.pop()
        codes.add(error.code)
        found += error.__subclasses__()
    return codes


class Gauges(Collector):
    """The state of the parts at the time of the scrape."""

    def __init__(self, gateway: Observed) -> None:
        self._gateway = gateway

    def describe(self) -> list[Metric]:
        """Nothing: the registry must not collect before the gateway has started."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._load()
        yield from self._record()
        yield from self._accounts(time.time())

    def _load(self) -> Iterator[Metric]:
        gateway = self._gateway
        running = _gauge("in_flight", "Exchanges that run.", "surface", "transport")
        counted: dict[tuple[str, str], int] = {}
        for exchange in gateway.turns.running:
            one = (exchange.request.surface, exchange.request.transport)
            counted[one] = counted.get(one, 0) + 1
        for labels, number in counted.items():
            running.add_metric(labels, number)
        yield running
        yield _plain("sockets", "Open client sockets.", len(gateway.channels))
        yield _plain(
            "reservations",
            "Turns that hold a part of their key's limits.",
            gateway.limiter.open_reservations,
        )
        yield _plain("tasks", "Tasks of the event loop.", len(asyncio.all_tasks()))
        yield _plain(
            "body_bytes",
            "Bytes of request bodies in memory.",
            gateway.body_budget.used,
        )
        queues = _gauge("queue_depth", "What waits, by queue.", "queue")
        queues.add_metric(("accounts",), gateway.pool.waiting)
        of_keys = gateway.limiter.waiting + gateway.arrivals.waiting
        queues.add_metric(("keys",), of_keys)
        queues.add_metric(("log",), gateway.store.writer.queue_depth)
        yield queues
        switches = CounterMetricFamily(
            f"{NAMESPACE}_conversation_switches",
            "Conversations that moved to another account.",
            labels=("cause",),
        )
        for cause, number in gateway.pool.observer.switches.items():
            switches.add_metric((cause,), number)
        yield switches

    def _record(self) -> Iterator[Metric]:
        writer = self._gateway.store.writer
        yield _plain(
            "writer_lag_seconds",
            "How long the oldest log row has waited for the database.",
            writer.lag_seconds,
        )
        yield _plain(
            "writer_failing",
            "1 while the database takes no rows.",
            writer.last_error is not None,
        )
        for name, number, text in (
            ("log_rows_written", writer.written, "Log rows in the database."),
            ("log_rows_dropped", writer.dropped, "Log rows and bindings lost."),
        ):
            family = CounterMetricFamily(f"{NAMESPACE}_{name}", text)
            family.add_metric((), number)
            yield family
        failed = CounterMetricFamily(
            f"{NAMESPACE}_task_failures",
            "Failures of tasks that live as long as the process, and go on.",
            labels=("task",),
        )
        failures = self._gateway.supervisor.failures
        for task, number in (*failures.items(), ("store_writer", writer.failures)):
            failed.add_metric((task,), number)
        yield failed

    def _accounts(self, now: float) -> Iterator[Metric]:
        states = _gauge("account_state", "1 for the current state.", "account", "state")
        flying = _gauge("account_in_flight", "Requests at the account.", "account")
        used = _gauge(
            "account_window_used_percent",
            "Used of a rate-limit window, as last told.",
            *("account", "window"),
        )
        lengths = _gauge(
            "account_window_seconds",
            "Length of a rate-limit window, as last told.",
            *("account", "window"),
        )
        ends = _gauge(
            "account_token_expires_at_seconds",
            "When the access token ends, unix time.",
            "account",
        )
        for account in self._gateway.pool.accounts.values():
            status = account.health.status(now)
            for state in AccountStatus:
                states.add_metric((account.name, state.value), status is state)
            flying.add_metric((account.name,), account.in_flight)
            for seen in account.all_windows():
                labels = (account.name, seen.window.name)
                used.add_metric(labels, seen.used_percent(now))
                if seen.window.window_minutes is not None:
                    lengths.add_metric(labels, seen.window.window_minutes * 60)
            if account.credentials.expires_at is not None:
                ends.add_metric((account.name,), account.credentials.expires_at)
        yield from (states, flying, used, lengths, ends)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{NAMESPACE}_{name}", text, labels=labels)


def _plain(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{NAMESPACE}_{name}", text, value=value)
