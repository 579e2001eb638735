"""Lines that strangers cause, and how many of them are written."""

import logging

import pytest

from gateway.monitoring.sparse_log import SparseLog


@pytest.fixture
def said(caplog):
    """Say something at a time; the lines that came of it."""
    now = 0.0
    logger = logging.getLogger("tests.sparse")
    sparse = SparseLog(lambda: now)
    logger.addFilter(sparse)
    caplog.set_level(logging.INFO)

    def say(at, message, *args):
        nonlocal now
        now = at
        logger.info(message, *args)
        return [record.getMessage() for record in caplog.records]

    yield say
    logger.removeFilter(sparse)


def test_a_line_passes_once_a_minute_and_says_how_often_it_was_meant(said):
    for second in range(60):
        lines = said(second, "Malformed message from %s: %s", "192.0.2.1", second)
    assert lines == ["Malformed message from 192.0.2.1: 0"]
    assert said(60, "Malformed message from %s: %s", "192.0.2.2", "100 %")[1:] == [
        "Malformed message from 192.0.2.2: 100 % (59 more since the last)"
    ]
    assert len(said(119, "Malformed message from %s: %s", "x", "y")) == 2


def test_other_lines_pass_meanwhile(said):
    said(5, "Malformed message from %s", "192.0.2.1")
    assert said(6, "Unsatisfiable read: %s", "x")[1:] == ["Unsatisfiable read: x"]
