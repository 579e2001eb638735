"""Series with the names of keys: who has one, and that they are bounded."""

from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.keys.key import Key, KeyRing, Limit, Measure
from gateway.keys.limiter import Limiter
from gateway.monitoring.key_series import KeySeries

LIMIT = Limit(7, Measure.TOKENS, 1_000, "1d")


@dataclass
class Parts:
    ring: KeyRing = field(default_factory=KeyRing)
    limiter: Limiter = field(default_factory=Limiter)


@pytest.fixture
def gateway():
    return Parts()


def key(number, name, **more):
    return Key(number, name, "sk-cgw-", str(number), 0, **more)


def row(key_id, **more):
    tokens = {f"{kind}_tokens": 10 for kind in ("input", "cached", "output")}
    told = {"api_key_id": key_id, "status": "success", "cost_microdollars": 500_000}
    return told | tokens | more


def read(series):
    registry = CollectorRegistry()
    registry.register(series)
    return {
        (sample.name.removeprefix("x_key_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def names(samples):
    return {sample[1] for sample in samples}


def test_a_key_has_its_requests_tokens_cost_and_what_is_used_of_its_limits(gateway):
    alice = key(1, "alice", limits=(LIMIT,))
    gateway.ring.replace([alice])
    series = KeySeries(gateway, "x")
    series.observe(row(1))
    series.observe(row(1, status="error", cost_microdollars=None))
    gateway.limiter.ledger.all_counters(alice, 10)[0].count(0)
    samples = read(series)
    assert samples["requests_total", "alice", "success"] == 1
    assert samples["requests_total", "alice", "error"] == 1
    assert samples["tokens_total", "alice", "output"] == 20
    assert samples["cost_dollars_total", "alice"] == 0.5
    assert samples["budget_used_ratio", "alice", "tokens 1000/1d"] == 0


def test_a_renamed_key_keeps_its_counts_and_a_removed_one_leaves(gateway):
    gateway.ring.replace([key(1, "alice"), key(2, "bob")])
    series = KeySeries(gateway, "x")
    series.observe(row(1))
    series.observe(row(2))
    gateway.ring.replace([key(1, "carol")])
    samples = read(series)
    assert names(samples) == {"carol", ""}
    assert samples["requests_total", "carol", "success"] == 1


def test_keys_beyond_the_bound_share_their_series_with_those_without_a_key(gateway):
    gateway.ring.replace([key(n, f"k{n}", limits=(LIMIT,)) for n in range(1, 6)])
    series = KeySeries(gateway, "x", most=2)
    for number in (1, 2, 3, 4, None):
        series.observe(row(number))
    samples = read(series)
    assert names(samples) == {"k1", "k2", ""}
    assert samples["requests_total", "", "success"] == 3
    gateway.ring.replace([key(5, "k5")])  # the others made room
    series.observe(row(5))
    assert names(read(series)) == {"k5", ""}


def test_nothing_of_a_key_but_its_name_is_shown(gateway):
    gateway.ring.replace([key(1, "alice", limits=(LIMIT,))])
    series = KeySeries(gateway, "x")
    series.observe(row(1))
    registry = CollectorRegistry()
    registry.register(series)
    assert b"sk-cgw" not in generate_latest(registry)
