"""What the turns of a key used, and so what its next one may use."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.keys import turn_history
from gateway.keys.counters import Charge
from gateway.keys.turn_history import TurnHistory, largest_output
from gateway.protocol.facts import Usage

ASKED = Charge(Usage(1_000), None, "gpt-5.5")


def finish(history, *outputs, key=1, name="gpt-5.5", input=0):
    for output in outputs:
        history.note_finished(key, name, Usage(input, output_tokens=output), 0)


def expected(history, asked=ASKED, key=1, name="gpt-5.5"):
    charge = history.expect(key, name, asked)
    return (
        charge.usage.input_tokens,
        charge.output,
        charge.most_output,
        charge.is_expected,
    )


def test_before_five_turns_have_finished_only_the_bounds_are_known():
    history = TurnHistory()
    assert expected(history) == (1_000, 4_000, 128_000, False)
    finish(history, 9_000, 9_000, 9_000, 9_000)
    assert expected(history) == (1_000, 4_000, 128_000, False)
    finish(history, 9_000)
    assert expected(history) == (1_000, 9_000, 128_000, True)
    assert expected(history, key=2) == (1_000, 4_000, 128_000, False)
    assert expected(history, name="other") == (1_000, 4_000, 128_000, False)


@given(st.integers(5, 250), st.randoms(use_true_random=False))
def test_expected_is_the_95th_percentile_of_the_last_hundred(count, random):
    turns = [(random.randrange(9_999), random.randrange(9)) for _ in range(count)]
    history = TurnHistory()
    for output, unforeseen in turns:
        finish(history, output, input=unforeseen)
    outputs, inputs = (sorted(one) for one in zip(*turns[-100:], strict=True))
    rank = ceil(0.95 * len(outputs)) - 1
    input, output, *_ = expected(history)
    assert (input, output) == (1_000 + inputs[rank], max(4_000, outputs[rank]))
    assert sum(one <= output for one in outputs) >= 0.95 * len(outputs)


@pytest.mark.parametrize(
    ("outputs", "most", "output"),
    [
        ([10] * 5, 0, 4_000),
        ([10] * 5, 50, 50),
        ([90_000] * 5, 20_000, 20_000),
        ([900_000] * 5, 0, 128_000),
    ],
)
def test_it_is_at_least_4000_and_at_most_what_may_be_written(outputs, most, output):
    history = TurnHistory()
    finish(history, *outputs)
    asked = ASKED._replace(most_output=most)
    assert expected(history, asked) == (1_000, output, most or 128_000, True)


def test_what_no_estimate_of_the_input_had_is_expected_again():
    history = TurnHistory()
    for _ in range(5):  # hosted tools found that much
        history.note_finished(1, "gpt-5.5", Usage(30_000), 2_000)
    assert expected(history) == (29_000, 4_000, 128_000, True)


def test_who_leaves_early_is_not_expected_to_use_less():
    history = TurnHistory()
    finish(history, *[5_000] * 5)
    for _ in range(100):
        history.note_broken_off(1, "gpt-5.5", 10)
    assert expected(history) == (1_000, 5_000, 128_000, True)
    for _ in range(6):
        history.note_broken_off(1, "gpt-5.5", 80_000)
    assert expected(history) == (1_000, 80_000, 128_000, True)


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("gpt-5.5", 128_000),
        ("gpt-6.2-sol", 128_000),
        ("gpt-5-chat-latest", 16_384),
        ("gpt-4o-mini", 16_384),
        ("gpt-4.1", 32_768),
        ("o3", 100_000),
        ("anything", 128_000),
        (None, 128_000),
    ],
)
def test_a_model_writes_so_much_at_most(model, most):
    assert largest_output(model) == most


def test_a_model_s_speed_is_the_median_of_its_last_answers():
    history = TurnHistory()
    assert history.speed("m") == turn_history._USUAL_SPEED
    for tokens, seconds in [(100, 1), (3_000, 10), (50, 0.0), (49, 0.001), (900, 1)]:
        history.note_speed("m", tokens, seconds)
    assert history.speed("m") == 300
    assert history.speed("other") == turn_history._USUAL_SPEED


def test_memory_is_bounded_and_forgets_what_was_used_longest_ago():
    history = TurnHistory()
    finish(history, *[9_000] * 5)
    for number in range(turn_history._MOST_PAIRS - 1):
        finish(history, 1, name=f"m{number}")
    assert expected(history)[1] == 9_000
    finish(history, 1, name="m0")
    finish(history, 1, name="one more")
    assert expected(history) == (1_000, 4_000, 128_000, False)
    assert len(history._turns) == turn_history._MOST_PAIRS
    finish(history, *range(1_000), name="m0")
    outputs = history._turns[1, "m0"].outputs
    assert len(outputs._by_time) == len(outputs._by_size) == 100
    for number in range(turn_history._MOST_MODELS + 5):
        history.note_speed(f"m{number}", 100, 1)
    assert len(history._speeds) == turn_history._MOST_MODELS
