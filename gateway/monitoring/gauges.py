"""Gauges: the state of the parts, read when they are scraped."""

import asyncio
import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.accounts.health import AccountStatus
from gateway.monitoring.observed import Observed
from gateway.monitoring.readiness import readiness

NAMESPACE = "codex_gateway"


class Gauges(Collector):
    """The state of the parts at the time of the scrape."""

    def __init__(self, gateway: Observed) -> None:
        self._gateway = gateway

    def describe(self) -> list[Metric]:
        """Nothing: the registry must not collect before the gateway has started."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield self._readiness()
        yield from self._load()
        yield from self._record()
        yield from self._accounts(time.time())

    def _readiness(self) -> Metric:
        ready = _gauge("ready", "1 where /health/ready finds nothing wrong.", "check")
        for check, told in readiness(self._gateway).items():
            ready.add_metric((check,), told == "ok")
        return ready

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
        until = _gauge(
            "account_limited_until_seconds",
            "When the limit of a limited account ends, unix time.",
            "account",
        )
        blocked = _gauge(
            "account_way_blocked",
            "1 while no connection leads to its upstream, or the edge refuses.",
            "account",
        )
        pool = self._gateway.pool
        for account in pool.accounts.values():
            name, health = account.name, account.health
            status = health.status(now)
            for state in AccountStatus:
                states.add_metric((name, state.value), status is state)
            flying.add_metric((name,), account.in_flight)
            blocked.add_metric((name,), pool.verdicts.is_way_blocked(account, now))
            if status is AccountStatus.LIMITED and health.limit is not None:
                until.add_metric((name,), health.limit.until)
        yield from (states, flying, until, blocked)
        yield from self._windows(now)
        yield from self._tokens()

    def _windows(self, now: float) -> Iterator[Metric]:
        labels = ("account", "window")
        used = _gauge(
            "account_window_used_percent",
            "Used of a rate-limit window, as last told.",
            *labels,
        )
        lengths = _gauge(
            "account_window_seconds",
            "Length of a rate-limit window, as last told.",
            *labels,
        )
        resets = _gauge(
            "account_window_resets_at_seconds",
            "When a rate-limit window is reset, unix time, as last told.",
            *labels,
        )
        for account in self._gateway.pool.accounts.values():
            for seen in account.all_windows():
                window, where = seen.window, (account.name, seen.window.name)
                used.add_metric(where, seen.used_percent(now))
                if window.window_minutes is not None:
                    lengths.add_metric(where, window.window_minutes * 60)
                if window.resets_at is not None:
                    resets.add_metric(where, window.resets_at)
        yield from (used, lengths, resets)

    def _tokens(self) -> Iterator[Metric]:
        tokens = _gauge(
            "account_token_expires_at_seconds",
            "When the access token ends, unix time.",
            "account",
        )
        logins = _gauge(
            "account_login_ends_at_seconds",
            "When an access token ends that nothing renews, unix time.",
            "account",
        )
        for account in self._gateway.pool.accounts.values():
            held = account.credentials
            if held.expires_at is not None:
                tokens.add_metric((account.name,), held.expires_at)
                if held.is_access_token:
                    logins.add_metric((account.name,), held.expires_at)
        yield from (tokens, logins)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{NAMESPACE}_{name}", text, labels=labels)


def _plain(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{NAMESPACE}_{name}", text, value=value)
