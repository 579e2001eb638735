"""`run.py turns` where no gateway runs."""

import pytest


@pytest.mark.parametrize("words", [("turns",), ("turns", "cut", "0123456789")])
def test_turns_are_those_of_a_gateway_that_runs(commands, words):
    done = commands(*words)
    assert done.status == 1
    assert f"No gateway runs on {commands.data_dir}" in done.err
