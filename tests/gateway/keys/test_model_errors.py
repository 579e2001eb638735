"""Models that a key or the accounts do not have: what is said about them."""

import pytest

from gateway.keys.model_errors import MOST_NAMES, ModelNotAvailable


@pytest.mark.parametrize(
    ("available", "end"),
    [
        ([], "model 'm'"),
        (["b", "a"], "model 'm'; there are a, b"),
        ([f"m{n:03}" for n in range(MOST_NAMES)], f"m{MOST_NAMES - 1:03}"),
        ([f"m{n:03}" for n in range(MOST_NAMES + 2)], " and 2 more"),
    ],
)
def test_an_unknown_model_is_answered_with_those_there_are(available, end):
    assert str(ModelNotAvailable("m", available)).endswith(end)
