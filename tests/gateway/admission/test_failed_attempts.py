"""A client that tries wrong keys is slowed down."""

from dataclasses import replace

import pytest

from gateway.admission.failed_keys import FAILED_KEYS_PER_MINUTE, FailedKeys
from gateway.errors import (
    GatewayError,
    InvalidApiKey,
    TooManyFailedKeys,
)
from tests.gateway.admission.requests import (
    DISABLED,
    EXPIRED,
    GOOD,
    NOW,
    bearer,
    facts,
)

# Failed attempts


def fail(door, times, now=NOW, **fields):
    errors = []
    for number in range(times):
        with pytest.raises(GatewayError) as caught:
            door.admit(bearer(f"wrong-{number}", **fields), now)
        errors.append(type(caught.value))
    return errors


def test_a_peer_with_many_wrong_keys_is_slowed_down_and_recovers(door):
    allowed = [InvalidApiKey] * FAILED_KEYS_PER_MINUTE
    assert fail(door, FAILED_KEYS_PER_MINUTE + 2) == [
        *allowed,
        *[TooManyFailedKeys] * 2,
    ]
    assert fail(door, 2, NOW + 6) == [InvalidApiKey, TooManyFailedKeys]
    assert fail(door, FAILED_KEYS_PER_MINUTE, NOW + 3600) == allowed


def test_the_refusal_says_how_long_to_wait(door):
    fail(door, FAILED_KEYS_PER_MINUTE)
    with pytest.raises(TooManyFailedKeys) as caught:
        door.admit(bearer("wrong"), NOW)
    assert caught.value.headers(codex=False) == {"retry-after": "6"}


def test_a_good_key_behind_the_same_address_still_passes(door):
    fail(door, 100)
    assert door.admit(bearer(GOOD), NOW).id == 1


def test_a_missing_key_is_not_a_failed_attempt(door):
    for _ in range(100):
        with pytest.raises(InvalidApiKey):
            door.admit(facts(), NOW)


@pytest.mark.parametrize("token", [DISABLED, EXPIRED])
def test_a_key_that_was_good_once_is_told_no_more_than_a_wrong_one(door, token):
    answers = [refusal(door, bearer(token)) for _ in range(15)]
    assert answers == [
        refusal(door, bearer("wrong", peer="203.0.113.9")) for _ in range(15)
    ]
    assert TooManyFailedKeys in [kind for kind, _ in answers]


def refusal(door, request_facts):
    with pytest.raises(GatewayError) as caught:
        door.admit(request_facts, NOW)
    return type(caught.value), str(caught.value)


def test_a_handshake_is_answered_401_even_then(door):
    fail(door, 100)
    with pytest.raises(InvalidApiKey):
        door.admit(replace(bearer("wrong"), is_upgrade=True), NOW)


def test_peers_are_told_apart_behind_a_trusted_proxy(door):
    fail(door, 100, peer="10.0.0.1", x_forwarded_for="203.0.113.1")
    assert fail(door, 1, peer="10.0.0.1", x_forwarded_for="203.0.113.2") == [
        InvalidApiKey
    ]


def test_the_addresses_of_one_ipv6_network_count_together(door):
    fail(door, 100, peer="2001:db8::1")
    assert fail(door, 1, peer="2001:db8::2") == [TooManyFailedKeys]
    assert fail(door, 1, peer="2001:db8:0:1::2") == [InvalidApiKey]


def test_a_flood_from_many_addresses_takes_bounded_memory():
    failed = FailedKeys()
    for number in range(10_000):
        failed.count(str(number), NOW)
    assert len(failed._left) == 4096


def test_a_clock_that_steps_back_neither_frees_nor_locks_a_peer():
    failed = FailedKeys(per_minute=1)
    assert failed.count("a", NOW) == 0
    assert 0 < failed.count("a", NOW - 3600) <= 60
    assert failed.count("a", NOW - 3540) == 0
