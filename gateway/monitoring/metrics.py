"""Metrics for Prometheus: counters from log rows; gauges are read when scraped."""

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache, partial
from itertools import product
from typing import Any, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from gateway.errors import GatewayError
from gateway.monitoring.gauges import NAMESPACE, Gauges
from gateway.monitoring.key_series import KeySeries
from gateway.monitoring.observed import Observed
from gateway.monitoring.recorder.loop_metrics import LoopMetrics
from gateway.protocol.facts import Origin
from gateway.store.log.log_rows import OTHER_MODELS, unpriced_model

# A first event within a tenth of a second up to the longest that is waited for.
FIRST_EVENT_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_TOKENS = tuple(
    (kind, f"{kind}_tokens")
    for kind in ("input", "cached", "cache_write", "output", "reasoning")
)
NOTICE_CHANNELS = ("webhook", "ntfy", "mail")
NOTICE_OUTCOMES = ("told", "failed", "given_up")
# Models with a series of their own among those without a price.
MOST_UNPRICED = 50
# The origins of refusals; errors of others are failures.
_REFUSING = ("client", "gateway")
# A fault of ours, which is no refusal.
_DEFECT = {GatewayError.code}

_COUNTERS = (
    (
        "requests",
        "Exchanges that ended.",
        ("surface", "transport", "status", "account"),
    ),
    (
        "tokens",
        "Tokens of answers; input includes cached, output includes reasoning.",
        ("kind", "account"),
    ),
    ("cost_dollars", "Cost of answers with a known price.", ("account",)),
    ("unpriced_requests", "Answers that cost something unknown.", ("model",)),
    ("errors", "Exchanges that failed, by whose fault it was.", ("origin",)),
    (
        "notifications",
        "Attempts to tell operators something, by channel.",
        ("channel", "outcome"),
    ),
    ("refusals", "Requests refused by the gateway itself, by error code.", ("code",)),
)


class Metrics:
    """All series of one gateway, in a registry of its own."""

    def __init__(self, gateway: Observed, *, by_key: bool = False) -> None:
        self._gateway = gateway
        self._unpriced_models: set[str] = set()
        # What the library's counters do not have yet. They are read once in some
        # seconds, and would take 4.2 µs of every turn where this takes 2.4.
        self._counted: defaultdict[tuple[Counter, tuple[str, ...]], float]
        self._counted = defaultdict(float)
        registry = self.registry = CollectorRegistry()
        self._own_codes = own_codes() - _DEFECT
        counter = partial(Counter, namespace=NAMESPACE, registry=registry)
        (
            self._requests,
            self._tokens,
            self._cost,
            self._unpriced,
            self._errors,
            self._notices,
            self._refusals,
        ) = (counter(*described) for described in _COUNTERS)
        # There from the start: a series that begins at 1 is no increase.
        for origin in get_args(Origin):
            self._errors.labels(origin)
        for channel, outcome in product(NOTICE_CHANNELS, NOTICE_OUTCOMES):
            self._notices.labels(channel, outcome)
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
        self._keys = KeySeries(gateway, NAMESPACE) if by_key else None
        if self._keys is not None:
            registry.register(self._keys)
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
        elif (model := unpriced_model(row)) is not None:
            counted[self._unpriced, (self._model_label(model),)] += 1
        if row["error_origin"]:
            counted[self._errors, (row["error_origin"],)] += 1
        if self._keys is not None:
            self._keys.observe(row)
        code = row["error_code"]
        if row["error_origin"] in _REFUSING and code in self._own_codes:
            self.refuse(code)

    def refuse(self, code: str) -> None:
        """Count a request that was turned away; `code` is one of ours.

        Called for requests that are not admitted, and leave no row.
        """
        self._refusals.labels(code).inc()

    def count_notice(self, channel: str, outcome: str) -> None:
        """Count an attempt to tell operators something."""
        self._notices.labels(channel, outcome).inc()

    def text(self) -> bytes:
        """The exposition format; some milliseconds of CPU."""
        for (counter, labels), amount in self._counted.items():
            counter.labels(*labels).inc(amount)
        self._counted.clear()
        return generate_latest(self.registry)

    def _model_label(self, model: str) -> str:
        """The model as a label; clients name them, so that there is a bound."""
        known = self._unpriced_models
        if len(known) < MOST_UNPRICED:
            known.add(model)
        return model if model in known else OTHER_MODELS

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
