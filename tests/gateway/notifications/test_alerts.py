"""What each alert finds, in its words, and what it leaves alone."""

import os
import re
import time
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from gateway.accounts.account import Account, Credentials
from gateway.accounts.pool import Pool
from gateway.accounts.shared.witnesses import Witness
from gateway.accounts.verdicts import HEARSAY_SECONDS, Met
from gateway.keys.key import Key, KeyRing, Limit, Measure
from gateway.keys.limiter import Limiter
from gateway.notifications.alerts import ALERTS, TOKEN_NOTICE, URGENT, Condition, Seen
from gateway.oauth.devices import Device, EndReason
from gateway.protocol.local_failures import network_failure
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.store.encryption import SecretBox
from gateway.store.store import Store
from tests.e2e.gateway_process import ROOT

NOW = time.time()
ACCESS_TOKEN = Credentials(access_token=Secret("at-fake"), expires_at=NOW + 60)
LOGIN = replace(ACCESS_TOKEN, refresh_token=Secret("fake-refresh"))


@dataclass
class Parts:
    """What of a gateway the finders read."""

    pool: Pool
    limiter: Limiter
    store: Store
    is_draining: bool = False
    accounts: dict = field(default_factory=dict)
    ring: KeyRing = field(default_factory=KeyRing)
    signed_in: tuple = ()

    @property
    def oauth(self):
        return SimpleNamespace(devices=lambda: self.signed_in)


@pytest.fixture
def parts(tmp_path):
    pool = Pool(replace(Settings.from_env(dotenv=os.devnull), data_dir=tmp_path))
    pool.replace([Account(1, "one"), Account(2, "two")])
    secrets = SecretBox.open(tmp_path)
    store = Store(f"sqlite:///{tmp_path}/x.db", secrets=secrets)
    return Parts(pool, Limiter(), store)


def found(parts, event, now=NOW, *, keys=(), unpriced=()):
    """The notices' texts by scope and level."""
    (alert,) = (one for one in ALERTS if one.event == event)
    conditions = alert.find(Seen(parts, keys, unpriced, now))
    return {(one.scope, one.level): alert.notice(one, now).text for one in conditions}


def key_with(parts, used, maximum=1_000, window="7d"):
    limit = Limit(5, Measure.TOKENS, maximum, window)
    key = Key(1, "alice", "sk-cgw-", "", int(NOW) - 10, limits=(limit,))
    (counter,) = parts.limiter.ledger.all_counters(key, NOW)
    counter.used = used
    return key


@pytest.mark.parametrize(
    ("used", "level"),
    [(799, 0), (800, 80), (899, 80), (900, 90), (999, 90), (1_000, 100), (1_400, 100)],
)
def test_a_key_reaches_the_highest_threshold_there_is(parts, used, level):
    ((scope, at), text), *more = found(
        parts, "key.limit", keys=[key_with(parts, used)]
    ).items()
    assert (at, more) == (level, [])
    assert scope == f"5/1000/{int(NOW) - 10}"
    assert text.startswith(
        f"The key alice has used {used // 10} % of its limit tokens "
    )


def test_little_use_and_rates_of_a_minute_are_as_if_they_were_not(parts):
    for key in (key_with(parts, 399), key_with(parts, 1_000, window="1m")):
        assert found(parts, "key.limit", keys=[key]) == {}


def test_a_login_that_ended_is_told_without_upstreams_words(parts):
    parts.pool.accounts[1].health.require_login("my token sk-fake is bad", "judge")
    assert list(found(parts, "account.login_ended")) == [("1", 1)]
    assert "sk-fake" not in str(found(parts, "account.login_ended"))


@pytest.mark.parametrize(
    ("credentials", "seconds", "levels"),
    [
        (ACCESS_TOKEN, 60, [1]),
        (ACCESS_TOKEN, TOKEN_NOTICE + 60, []),
        (ACCESS_TOKEN, -60, [0]),  # its end is told by itself
        (LOGIN, 60, []),  # renewed
    ],
)
def test_an_access_tokens_end_is_told_before_it(parts, credentials, seconds, levels):
    held = replace(credentials, expires_at=NOW + seconds)
    parts.pool.replace([Account(1, "one", credentials=held)])
    told = found(parts, "account.login_ends")
    assert [level for _, level in told] == levels


def test_all_are_limited_when_all_in_service_are(parts):
    one, two = parts.pool.accounts.values()
    one.health.set_limit(NOW, "primary", NOW + 600)
    assert found(parts, "accounts.limited") == {}
    two.health.pause()
    assert "in service (1)" in found(parts, "accounts.limited")["", 1]
    two.health.resume()
    two.health.set_limit(NOW, "primary", NOW + 300)
    assert "in service (2)" in found(parts, "accounts.limited")["", 1]
    assert found(parts, "accounts.limited", NOW + 301) == {}
    parts.pool.replace([])
    assert found(parts, "accounts.limited") == {}


def test_a_way_is_blocked_when_no_account_there_gets_through(parts):
    one, two = parts.pool.accounts.values()
    refused = network_failure("no", "connection_failed", "connect")
    parts.pool.verdicts.meet(Met(one, refused, Witness("k", "c"), None), NOW)
    assert found(parts, "upstream.blocked") == {}
    parts.pool.verdicts.meet(Met(two, refused, Witness("k", "c"), None), NOW)
    (text,) = found(parts, "upstream.blocked").values()
    assert "one, two" in text
    assert found(parts, "upstream.blocked", NOW + HEARSAY_SECONDS + 1) == {}
    two.health.succeed(NOW + 1)
    assert found(parts, "upstream.blocked") == {}


def test_a_failing_database_is_told_with_what_waits(parts):
    assert found(parts, "database.failing") == {}
    parts.store.writer.last_error = "disk full, and a password"
    assert found(parts, "database.failing") == {
        ("", 1): "Rows of the request log wait in memory (0); 0 were lost. "
        "/health/ready says what is wrong."
    }


def test_a_name_is_shown_in_one_line_of_bounded_length(parts):
    long = "x" * 300
    told = found(parts, "price.missing", unpriced=["a\nb\u202ec", long])
    assert told["a\nb\u202ec", 1].startswith(
        "A request of a\ufffdb\ufffdc has no known"
    )
    assert "x" * 121 not in told[long, 1]


def test_every_alert_is_documented():
    document = (ROOT / "docs" / "operating.md").read_text()
    table = re.search(r"\| event \| told when.*?\n\n", document, re.DOTALL)[0]
    documented = set(re.findall(r"^\| `([a-z._]+)` \|", table, re.MULTILINE))
    assert documented == {alert.event for alert in ALERTS}


def test_every_alert_can_be_put_into_words():
    values = {
        name: "{x}"
        for name in ("key", "limit", "percent", "until", "account", "accounts")
    } | {"waiting": 1, "lost": 2, "model": "{y}"}
    values |= {"seat": "{x}", "device": "{x}", "address": "{x}"}
    for alert in ALERTS:
        notice = alert.notice(Condition("s", values), NOW)
        assert "{" not in notice.title.replace("{x}", "").replace("{y}", "")
    assert len({alert.event for alert in ALERTS}) == len(ALERTS)


def device(number, created_at, **ended):
    whence = ("browser", "192.0.2.7", "codex", created_at, created_at, "192.0.2.7")
    return Device(number, 1, f"laptop {number}", *whence, NOW + 1e6, **ended)


def test_each_new_device_is_told_and_no_old_one(parts):
    parts.ring.replace([Key(1, "ada", "cgat-", "", int(NOW))])
    parts.signed_in = (device(1, NOW - 86_401), device(2, NOW - 60))
    ((scope, text),) = ((s, t) for (s, _), t in found(parts, "device.added").items())
    assert scope == "2"
    assert text.startswith(
        "laptop 2 has signed in to the seat ada; it was asked for from 192.0.2.7."
    )


def test_a_device_that_was_ended_of_a_reuse_is_told_urgently(parts):
    parts.signed_in = (
        device(1, NOW - 60, ends_at=NOW, end_reason=EndReason.SIGNED_OUT.value),
        device(2, NOW - 60, ends_at=NOW, end_reason=EndReason.REUSE.value),
        device(3, NOW - 60),
    )
    ((scope, _),) = found(parts, "device.copied")
    assert scope == "2"
    assert "device.copied" in URGENT
