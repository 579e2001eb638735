"""Sums of several processes' metrics."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.cluster.metric_sums import sum_metrics


def samples(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def exposed(requests, **gauges):
    registry = CollectorRegistry()
    counter = Counter("requests", "Of all.", ("account",), registry=registry)
    for account, number in requests.items():
        counter.labels(account).inc(number)
    for name, value in gauges.items():
        Gauge(name, "One.", registry=registry).set(value)
    return generate_latest(registry).decode()


LABELS = st.text(max_size=8)
COUNTED = st.dictionaries(LABELS, st.integers(0, 10**6), max_size=4)


@given(st.lists(COUNTED, min_size=1, max_size=4))
def test_counters_are_added_up_whatever_their_labels_are(each):
    found = samples(sum_metrics(map(exposed, each)))
    for account in {name for one in each for name in one}:
        expected = sum(one.get(account, 0) for one in each)
        assert found["requests_total", (("account", account),)] == expected


def test_of_gauges_that_all_see_alike_the_worst_counts():
    one = exposed({}, sockets=3, ready=1, lag_seconds=0.5, used_percent=80)
    two = exposed({}, sockets=4, ready=0, lag_seconds=2.5, used_percent=70)
    found = samples(sum_metrics([one, two]))
    names = ("sockets", "ready", "lag_seconds", "used_percent")
    assert [found[name, ()] for name in names] == [7, 0, 2.5, 80]


def test_one_process_alone_is_told_as_it_is():
    text = exposed({"a": 2}, sockets=3)
    assert samples(sum_metrics([text])) == samples(text)
    assert sum_metrics([]) == ""
