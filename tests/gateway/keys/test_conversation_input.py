"""The input of a known conversation: what was counted last, and what is new."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.keys import input_estimate
from gateway.keys.input_estimate import (
    LARGEST_INPUT,
    ConversationInput,
    InputSize,
)
from gateway.protocol.facts import Usage


def test_nothing_is_known_of_a_new_conversation():
    inputs = ConversationInput()
    assert inputs.expect(["a"], None, InputSize(100, 20)) == 120
    assert inputs.expect([], "r", InputSize(100, 20)) == 120


def test_a_grown_history_costs_what_was_counted_and_what_is_new():
    inputs = ConversationInput()
    inputs.note(["a", "b"], Usage(150), 120)
    assert inputs.expect(["b"], None, InputSize(200, 20)) == 150 + 100
    assert inputs.expect(["unknown", "a"], None, InputSize(100, 20)) == 150
    # Shorter: compacted, or something else under the same name.
    assert inputs.expect(["a"], None, InputSize(50, 20)) == 70


def test_what_names_a_response_costs_all_of_it_and_the_new_items():
    inputs = ConversationInput()
    inputs.note(["a", "r1"], Usage(10_000, output_tokens=700), 9_000)
    assert inputs.expect(["a"], "r1", InputSize(5, 3_000)) == 10_705
    assert inputs.expect(["a"], "r2", InputSize(5, 3_000)) == 3_005


def test_a_name_that_was_used_for_something_cheap_hides_nothing():
    inputs = ConversationInput()
    inputs.note(["a"], Usage(10), 50_000)
    assert inputs.expect(["a"], None, InputSize(60_000)) == 30_000


def test_a_turn_that_was_not_counted_says_nothing():
    inputs = ConversationInput()
    inputs.note(["a"], Usage(0, output_tokens=5), 100)
    assert inputs.expect(["a"], None, InputSize(200)) == 200


def test_memory_is_bounded():
    inputs = ConversationInput()
    for number in range(input_estimate._MOST_NAMES + 10):
        inputs.note([f"n{number}"], Usage(5), 1)
    assert len(inputs._counted) == input_estimate._MOST_NAMES
    assert inputs.expect(["n0"], None, InputSize(1)) == 1
    assert inputs.expect(["n10"], None, InputSize(1)) == 5


numbers = st.integers(0, 2_000_000)


@given(numbers, numbers, numbers, numbers, numbers, st.booleans())
def test_it_lies_between_half_the_estimate_and_the_longest_context(
    counted, output, estimated, items, fixed, continues
):
    inputs = ConversationInput()
    inputs.note(["a", "r"], Usage(counted, output_tokens=output), estimated)
    size = InputSize(items, fixed)
    found = inputs.expect(["a"], "r" if continues else None, size)
    assert found <= LARGEST_INPUT
    if not continues:
        assert found >= size.tokens // 2
