"""What the head of our own 101 tells of upstream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.learned_traits import (
    LARGEST_MESSAGE,
    REASONING_INCLUDED,
    LearnedTraits,
)

URL, OTHER = "https://one/responses", "https://two/responses"


@pytest.fixture
def learned():
    return LearnedTraits(1000)


def included(learned, urls=(URL,), model=None):
    return learned.upgrade_headers(urls, model).get(REASONING_INCLUDED)


def bound(learned, urls=(URL,), model=None):
    return learned.upgrade_headers(urls, model)[LARGEST_MESSAGE]


@pytest.mark.parametrize("urls", [(), (URL,), (URL, OTHER)])
def test_where_nothing_is_known_only_our_own_bound_is_told(learned, urls):
    assert learned.upgrade_headers(urls, "m") == {LARGEST_MESSAGE: "1000"}


def test_the_last_answer_counts(learned):
    learned.observe(URL, "m", {REASONING_INCLUDED: " true "})
    assert included(learned) == "true"
    learned.observe(URL, "m", {})
    assert included(learned) is None


def test_a_model_s_own_answer_goes_before_another_one_s(learned):
    learned.observe(URL, "a", {REASONING_INCLUDED: "true"})
    learned.observe(URL, "b", {})
    assert included(learned, model="a") == "true"
    assert included(learned, model="b") is None
    assert included(learned, model="unheard-of") is None  # as the last answer
    learned.observe(URL, None, {REASONING_INCLUDED: "1"})
    assert included(learned, model="unheard-of") == "1"
    assert included(learned, model="a") == "true"


def test_endpoints_are_told_apart(learned):
    learned.observe(URL, "m", {REASONING_INCLUDED: "true"})
    assert included(learned, [OTHER]) is None
    assert included(learned, [URL, OTHER]) == "true"  # nothing is known of the other
    learned.observe(OTHER, "m", {})
    assert included(learned, [URL, OTHER]) is None


def test_the_smaller_bound_is_told(learned):
    for told, expected in (("999", "999"), ("5000", "1000"), ("35", "35")):
        learned.observe(URL, "m", {LARGEST_MESSAGE: told})
        assert bound(learned) == expected
    learned.observe(URL, "m", {})  # as an answer over HTTP, which says nothing of it
    assert bound(learned, model="m") == "35"
    learned.observe(OTHER, "m", {LARGEST_MESSAGE: "20"})
    assert bound(learned, [URL, OTHER]) == "20"


@pytest.mark.parametrize(
    "odd", ["", "0", "-5", "1e2", "9.5", "\u0664", "x", "9" * 5000]
)
def test_a_bound_that_is_no_number_is_none(learned, odd):
    learned.observe(URL, "m", {LARGEST_MESSAGE: odd})
    assert bound(learned) == "1000"


@given(st.text(), st.text())
def test_what_is_told_is_always_a_header(value, size):
    learned = LearnedTraits(1000)
    learned.observe(URL, "m", {REASONING_INCLUDED: value, LARGEST_MESSAGE: size})
    for told in learned.upgrade_headers([URL], "m").values():
        assert told.isascii()
        assert told.isprintable()
        assert 0 < len(told) <= 32
