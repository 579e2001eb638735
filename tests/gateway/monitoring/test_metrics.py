"""Every metric is set by what it measures and read back from the exposition."""

import asyncio
import os
import time
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.accounts.account import Account, Credentials
from gateway.accounts.pool import Pool
from gateway.accounts.shared.witnesses import Witness
from gateway.accounts.verdicts import Met
from gateway.admission.arrivals import Arrivals
from gateway.admission.body_budget import BodyBudget, Sender
from gateway.keys.counters import Charge, Charged
from gateway.keys.key import Key, KeyRing
from gateway.keys.limiter import Limiter
from gateway.monitoring.metrics import NAMESPACE, Metrics
from gateway.monitoring.recorder.files import recordings
from gateway.monitoring.recorder.recorder import Recorder
from gateway.monitoring.supervisor import Supervisor
from gateway.protocol.facts import Usage, Window
from gateway.protocol.local_failures import network_failure
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.store.encryption import SecretBox
from gateway.store.store import Store
from gateway.turns.client_request import ClientFacts, ClientRequest
from gateway.turns.exchange import Exchange
from gateway.turns.runner import TurnRunner
from gateway.upstream.endpoints import Endpoint

NOW = time.time()
DAY = 86_400  # more than all tests may take, from the import of this one


@dataclass
class Parts:
    """What of a gateway is observed, not started: nothing is sent or written."""

    pool: Pool
    ring: KeyRing
    limiter: Limiter
    arrivals: Arrivals
    body_budget: BodyBudget
    store: Store
    turns: TurnRunner
    is_draining: bool = False
    channels: set = field(default_factory=set)
    supervisor: Supervisor = field(default_factory=Supervisor)


@pytest.fixture
def gateway(tmp_path):
    settings = replace(Settings.from_env(dotenv=os.devnull), data_dir=tmp_path)
    pool, limiter = Pool(settings), Limiter()
    pool.replace([Account(1, "one", credentials=Credentials(expires_at=NOW + 3600))])
    secrets = SecretBox.open(tmp_path)
    store = Store(f"sqlite:///{tmp_path}/x.db", secrets=secrets, capacity=1)
    turns = TurnRunner(pool, SimpleNamespace(tokens=None), limiter, None, None, None)
    return Parts(
        pool, KeyRing(), limiter, Arrivals(limiter), BodyBudget(9999), store, turns
    )


def exchange():
    facts = ClientFacts(request_id="r1", address="127.0.0.1", headers=[])
    request = ClientRequest(facts, "codex", "http", Endpoint.RESPONSES, None, 10, None)
    return Exchange(request)


def read(metrics):
    """(name, labels) → value of every sample."""

    async def scrape():
        return scraped(metrics)

    return asyncio.run(scrape())


def scraped(metrics):
    """The same, where a loop is running."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def value(samples, name, **labels):
    return samples[(f"{NAMESPACE}_{name}", tuple(sorted(labels.items())))]


def test_turns_of_keys_are_seen_while_they_run_or_wait(gateway):
    key = Key(1, "k", "sk-cgw-", "", int(NOW), concurrency=1)

    async def scenario():
        limiter = gateway.limiter
        spend = Charge(Usage(1, output_tokens=1), 1)
        held = await limiter.reserve(key, spend, "gpt-5.5")
        waiting = asyncio.create_task(limiter.reserve(key, spend, "gpt-5.5"))
        await asyncio.sleep(0)
        metrics = Metrics(gateway)
        seen = [scraped(metrics)]
        held.release()
        (await waiting).release()
        return [*seen, scraped(metrics)]

    during, after = asyncio.run(scenario())
    for name, labels in (("reservations", {}), ("queue_depth", {"queue": "keys"})):
        assert (value(during, name, **labels), value(after, name, **labels)) == (1, 0)
    assert value(during, "tasks") == value(after, "tasks") + 1


def test_every_metric_is_set_and_read_back(gateway):
    metrics = Metrics(gateway)
    done = exchange()
    done.account_id = 1
    done.charged = Charged(Usage(100, 60, 5, 40, 7), 2_500_000)
    done.marks["first_event"] = 700
    done.succeed()
    metrics.observe(done.as_row())
    metrics.refuse("invalid_api_key")

    account = gateway.pool.accounts[1]
    account.in_flight = 3
    account.record_windows([Window("primary", 42.0, 300, NOW + 3600)], NOW)
    gateway.pool.observer.switches["limited"] += 2
    gateway.turns.running[exchange()] = None
    gateway.channels.add(object())
    gateway.body_budget.open_lease(Sender("key 1", has_key=True)).take(1234)
    writer = gateway.store.writer
    writer.log(done.as_row())
    writer.log(done.as_row())  # one more than there is room for
    writer.written, writer.last_error = 9, "disk full"

    samples = read(metrics)
    labels = {"surface": "codex", "transport": "http"}
    assert value(samples, "requests_total", status="success", account="one", **labels)
    assert value(samples, "first_event_seconds_count", **labels) == 1
    assert value(samples, "first_event_seconds_bucket", le="1.0", **labels) == 1
    assert value(samples, "first_event_seconds_bucket", le="0.5", **labels) == 0
    tokens = {"input": 100, "cached": 60, "cache_write": 5, "output": 40}
    for kind, number in {**tokens, "reasoning": 7}.items():
        assert value(samples, "tokens_total", kind=kind, account="one") == number
    assert value(samples, "cost_dollars_total", account="one") == 2.5
    assert value(samples, "refusals_total", code="invalid_api_key") == 1
    assert value(samples, "in_flight", **labels) == 1
    assert value(samples, "sockets") == 1
    assert value(samples, "body_bytes") == 1234
    assert value(samples, "queue_depth", queue="accounts") == 0
    assert value(samples, "queue_depth", queue="log") == 1
    assert value(samples, "conversation_switches_total", cause="limited") == 2
    assert value(samples, "writer_lag_seconds") > 0
    assert value(samples, "writer_failing") == 1
    assert value(samples, "log_rows_written_total") == 9
    assert value(samples, "log_rows_dropped_total") == 1
    assert value(samples, "account_state", account="one", state="active") == 1
    assert value(samples, "account_state", account="one", state="limited") == 0
    assert value(samples, "account_in_flight", account="one") == 3
    used = value(
        samples, "account_window_used_percent", account="one", window="primary"
    )
    assert used == 42
    ends = value(samples, "account_token_expires_at_seconds", account="one")
    assert ends == pytest.approx(NOW + 3600)
    assert value(samples, "account_way_blocked", account="one") == 0
    assert not any(
        "limited_until" in name or "login_ends" in name for name, _ in samples
    )
    assert value(samples, "process_resident_memory_bytes") > 1_000_000


def test_what_readiness_finds_is_told_by_check(gateway):
    gateway.store.writer.last_error = "disk full"
    samples = read(Metrics(gateway))
    told = [value(samples, "ready", check=one) for one in ("database", "accounts")]
    assert told == [0, 1]


def test_an_exchange_is_counted_once_however_often_it_is_read(gateway):
    metrics = Metrics(gateway)
    done = exchange()
    done.charged = Charged(Usage(100))
    metrics.observe(done.as_row())
    read(metrics)
    metrics.observe(done.as_row())
    read(metrics)
    assert value(read(metrics), "tokens_total", kind="input", account="") == 200


def test_a_blocked_loop_is_measured_and_counted(gateway, tmp_path):
    metrics = Metrics(gateway)

    async def block_the_loop():
        recorder = Recorder(tmp_path, lambda now: {}, metrics.loop)
        running = asyncio.create_task(recorder.run())
        await asyncio.sleep(0)
        time.sleep(0.7)  # noqa: ASYNC251 - the fault that is to be seen
        async with asyncio.timeout(5):
            while not recordings(tmp_path):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        running.cancel()
        await recorder.stop()

    asyncio.run(block_the_loop())
    samples = read(metrics)
    assert value(samples, "loop_lag_seconds_bucket", le="0.5") == 0
    assert value(samples, "loop_lag_seconds_count") == 1
    assert value(samples, "loop_blocked_total", cause="waiting") == 1
    assert value(samples, "recordings_total", outcome="written") == 1
    assert value(samples, "recordings_total", outcome="failed") == 0


def test_a_refusal_is_not_an_upstream_failure_nor_a_defect(gateway):
    metrics = Metrics(gateway)
    for code, origin in (
        ("model_not_allowed", "client"),
        ("gateway_overloaded", "gateway"),
        ("server_error", "gateway"),
        ("rate_limit_exceeded", "upstream"),
        # Upstream may name the client's mistakes as it likes: no series for each.
        ("some_code_of_upstreams", "client"),
    ):
        failed = exchange()
        failed.status, failed.error_code, failed.error_origin = "error", code, origin
        metrics.observe(failed.as_row())
    refused = {
        labels[0][1]
        for name, labels in read(metrics)
        if name == f"{NAMESPACE}_refusals_total"
    }
    assert refused == {"model_not_allowed", "gateway_overloaded"}


def test_a_removed_accounts_rows_still_count(gateway):
    metrics = Metrics(gateway)
    done = exchange()
    done.account_id = 99
    metrics.observe(done.as_row())
    metrics.observe(exchange().as_row())
    labels = {"surface": "codex", "transport": "http", "status": "interrupted"}
    assert value(read(metrics), "requests_total", account="", **labels) == 2


def test_what_stands_against_an_account_is_told(gateway):
    held = Credentials(access_token=Secret("at-fake"), expires_at=NOW + 60)
    gateway.pool.replace([Account(1, "one"), Account(2, "two", credentials=held)])
    one, two = gateway.pool.accounts.values()
    one.record_windows([Window("primary", 100.0, 300, NOW + DAY)], NOW)
    refused = network_failure("no", "upstream_connection_failed", "connect")
    witness = Witness("key", "conversation")
    gateway.pool.verdicts.meet(Met(two, refused, witness, None), NOW)
    samples = read(Metrics(gateway))
    resets = value(
        samples, "account_window_resets_at_seconds", account="one", window="primary"
    )
    assert resets == pytest.approx(NOW + DAY)
    limited = value(samples, "account_limited_until_seconds", account="one")
    assert limited == pytest.approx(NOW + DAY)
    for account, is_blocked in (("one", 0), ("two", 1)):
        assert value(samples, "account_way_blocked", account=account) == is_blocked
    ends = value(samples, "account_login_ends_at_seconds", account="two")
    assert ends == pytest.approx(NOW + 60)


def test_errors_are_counted_by_origin_and_answers_without_a_price_by_model(gateway):
    metrics = Metrics(gateway)
    for model, status in (("new", "success"), ("made up", "interrupted")):
        done = exchange()
        done.model, done.status = model, status
        done.charged = Charged(Usage(9, output_tokens=1))
        metrics.observe(done.as_row())
    failed = exchange()
    failed.status, failed.error_origin = "error", "network"
    metrics.observe(failed.as_row())
    samples = read(metrics)
    assert value(samples, "unpriced_requests_total", model="new") == 1
    assert value(samples, "unpriced_requests_total", model="other") == 1
    assert value(samples, "errors_total", origin="network") == 1
    assert value(samples, "errors_total", origin="upstream") == 0
