"""Calls between members: which are genuine, and that no other is."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cluster.signed_call import GOOD_SECONDS, MemberCall
from gateway.secret import Secret

TOKEN = Secret("a token that all members have")
CALL = MemberCall("GET", "/member/turns?order=age", 3, 4, 1_000_000)
NUMBERS = st.integers(0, 10**12)
HEADERS = ("x-member-sender", "x-member-receiver", "x-member-time")


def is_genuine(call, headers, *, token=TOKEN, receiver=4, now=1_000_000.0):
    return call.is_genuine(headers, token, receiver, now)


def test_what_was_signed_is_genuine_for_its_receiver_and_a_minute():
    headers = CALL.headers(TOKEN)
    assert MemberCall.read(CALL.method, CALL.path, headers) == CALL
    for now in (0, GOOD_SECONDS, -GOOD_SECONDS):
        assert is_genuine(CALL, headers, now=CALL.at + now)
    for now in (GOOD_SECONDS + 1, -GOOD_SECONDS - 1):
        assert not is_genuine(CALL, headers, now=CALL.at + now)
    assert not is_genuine(CALL, headers, receiver=3)
    assert not is_genuine(CALL, headers, token=Secret("another"))
    assert TOKEN.reveal() not in str(headers)


def test_nobody_is_asked_before_this_process_is_a_member():
    call = CALL._replace(receiver=0)
    assert not is_genuine(call, call.headers(TOKEN), receiver=0)


@given(
    st.builds(
        MemberCall,
        st.sampled_from(["GET", "POST"]),
        st.text(max_size=30),
        NUMBERS,
        NUMBERS,
        NUMBERS,
    )
)
def test_a_signature_is_good_for_nothing_else(other):
    headers = other.headers(TOKEN) | {
        "x-member-signature": CALL.headers(TOKEN)["x-member-signature"]
    }
    is_same = other == CALL
    assert other.is_genuine(headers, TOKEN, other.receiver, float(other.at)) is is_same


@pytest.mark.parametrize("name", [*HEADERS, "x-member-signature"])
@pytest.mark.parametrize("value", [None, "", "x", "-1", "٣", "9" * 20, "\udcff"])
def test_odd_headers_are_no_call(name, value):
    headers = dict(CALL.headers(TOKEN))
    if value is None:
        del headers[name]
    else:
        headers[name] = value
    call = MemberCall.read(CALL.method, CALL.path, headers)
    assert call is None or not is_genuine(call, headers, now=time.time())
