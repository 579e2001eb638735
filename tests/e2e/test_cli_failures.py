"""The real Codex CLI at a failing upstream ends with the words it has without us.

A sample of the rows of `make clients`, which also compares the seconds; every other
one with the newest CLI.
"""

import pytest

from tests.e2e.asking import UNSANDBOXED
from tests.tools.cli_failures.__main__ import last_words
from tests.tools.cli_failures.rows import ROWS

pytestmark = pytest.mark.failures

BY_NAME = {row.name: row for row in ROWS}
# (row, over a socket, final words, the most attempts that upstream may see)
SAMPLE = [
    ("503 server_is_overloaded", True, "Selected model is at capacity", 5),
    ("503 server_is_overloaded", False, "Selected model is at capacity", 6),
    ("403 JSON", False, "403 Forbidden: You may not do this.", 6),
    ("429 organization_spend_limit_exceeded", True, "Quota exceeded", 4),
    ("429 limit of one model", False, "Switch to another model now", 2),
    ("429 rate_limit_exceeded", False, "429 Too Many Requests", 6),
    ("500", False, "experiencing high demand", 9),
    ("reset, once", True, "hello", 3),
]


@pytest.mark.parametrize("number", range(len(SAMPLE)), ids=[row[0] for row in SAMPLE])
@pytest.mark.gen_test(timeout=90)
async def test_the_last_words_are_upstreams(upstream, user, number):
    name, websockets, words, attempts = SAMPLE[number]
    BY_NAME[name].play(upstream)
    retries = [
        word
        for option in ("request_max_retries", "stream_max_retries")
        for word in ("-c", f"model_providers.tested.{option}=1")
    ]
    cli = user(websockets=websockets, newest=number % 2 == 1)
    run = await cli.exec("hello", UNSANDBOXED, *retries)
    assert words in last_words(run)
    assert len(upstream.of()) <= attempts
