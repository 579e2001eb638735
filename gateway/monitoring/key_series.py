"""Series with a key's name, for who asks for them: GATEWAY_METRICS_KEYS."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.monitoring.observed import Observed

# Keys with series of their own; all others, and requests without a key, share those of
# the name "". A scrape takes 45 µs of each, on the event loop.
MOST_KEYS = 200
_NO_KEY = 0
_TOKENS = ("input", "cached", "output")


class KeySeries(Collector):
    """What each key used since the start, and of its limits' windows.

    Counted by the key's number and shown by the name it has: a removed key leaves, and
    a renamed one keeps what it has.
    """

    def __init__(
        self, gateway: Observed, namespace: str, most: int = MOST_KEYS
    ) -> None:
        self._gateway = gateway
        self._prefix = f"{namespace}_key_"
        self._most = most
        # By key: requests by status, tokens by kind, and "cost" in micro-dollars.
        self._counted: dict[int, Counter[str]] = {_NO_KEY: Counter()}

    def describe(self) -> list[Metric]:
        """Nothing: there are no keys before the gateway has started."""
        return []

    def observe(self, row: Mapping[str, Any]) -> None:
        """Count one exchange from its log row."""
        counted = self._counts_of(row["api_key_id"])
        counted[row["status"]] += 1
        counted["cost"] += row["cost_microdollars"] or 0
        for kind in _TOKENS:
            counted[kind] += row[f"{kind}_tokens"]

    def _counts_of(self, key_id: int | None) -> Counter[str]:
        counted = self._counted.get(key_id or _NO_KEY)
        if counted is not None:
            return counted
        if len(self._counted) > self._most:
            self._forget_removed()
        if len(self._counted) > self._most or key_id is None:
            return self._counted[_NO_KEY]
        return self._counted.setdefault(key_id, Counter())

    def _forget_removed(self) -> None:
        ring = self._gateway.ring
        for key_id in tuple(self._counted):
            if key_id != _NO_KEY and ring.get(key_id) is None:
                del self._counted[key_id]

    def collect(self) -> Iterator[Metric]:
        self._forget_removed()
        requests = CounterMetricFamily(
            f"{self._prefix}requests",
            "Exchanges that ended, by key.",
            labels=("key", "status"),
        )
        tokens = CounterMetricFamily(
            f"{self._prefix}tokens",
            "Tokens of answers, by key.",
            labels=("key", "kind"),
        )
        cost = CounterMetricFamily(
            f"{self._prefix}cost_dollars",
            "Cost of answers with a known price, by key.",
            labels=("key",),
        )
        for key_id, counted in self._counted.items():
            key = self._gateway.ring.get(key_id)
            name = "" if key is None else key.name
            for status in counted.keys() - {"cost", *_TOKENS}:
                requests.add_metric((name, status), counted[status])
            for kind in _TOKENS:
                tokens.add_metric((name, kind), counted[kind])
            cost.add_metric((name,), counted["cost"] / 1_000_000)
        yield from (requests, tokens, cost, self._budgets(time.time()))

    def _budgets(self, now: float) -> Metric:
        used = GaugeMetricFamily(
            f"{self._prefix}budget_used_ratio",
            "Used of a limit's running window; more than 1 when overshot.",
            labels=("key", "limit"),
        )
        limited = sorted(
            (key for key in self._gateway.ring if key.limits), key=lambda key: key.id
        )
        for key in limited[: self._most]:
            for counter in self._gateway.limiter.ledger.all_counters(key, now):
                limit = counter.limit
                used.add_metric((key.name, str(limit)), counter.used / limit.maximum)
        return used
