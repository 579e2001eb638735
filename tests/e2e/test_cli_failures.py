"""The real Codex CLI at a failing upstream ends with the words it has without us.

A sample of the rows of `make clients`, which also compares the seconds; every other
one with the newest CLI. Neither client nor upstream sees more attempts than it should.
"""

import pytest

from tests.e2e.asking import UNSANDBOXED
from tests.tools.cli_failures.rows import ROWS
from tests.tools.cli_failures.trial import last_words

pytestmark = pytest.mark.failures

BY_NAME = {row.name: row for row in ROWS}
# (row, over a socket, final words, the most turns of the client, prewarming included,
# the most attempts that upstream may see)
SAMPLE = [
    ("503 server_is_overloaded", True, "Selected model is at capacity", 3, 4),
    ("503 server_is_overloaded", False, "Selected model is at capacity", 2, 5),
    ("403 JSON", False, "403 Forbidden: You may not do this.", 2, 5),
    ("429 organization_spend_limit_exceeded", True, "Quota exceeded", 3, 3),
    ("429 limit of one model", False, "Switch to another model now", 1, 2),
    ("429 rate_limit_exceeded", False, "429 Too Many Requests", 1, 3),
    ("500", False, "experiencing high demand", 4, 7),
    ("reset before the headers, once", True, "hello", 3, 2),
]


@pytest.mark.parametrize("number", range(len(SAMPLE)), ids=[row[0] for row in SAMPLE])
@pytest.mark.gen_test(timeout=90)
async def test_the_last_words_are_upstreams(upstream, user, pair, number):
    name, websockets, words, of_client, of_upstream = SAMPLE[number]
    BY_NAME[name].play(upstream)
    retries = [
        word
        for option in ("request_max_retries", "stream_max_retries")
        for word in ("-c", f"model_providers.tested.{option}=1")
    ]
    cli = user(websockets=websockets, newest=number % 2 == 1)
    run = await cli.exec("hello", UNSANDBOXED, *retries)
    assert words in last_words(run)
    await pair.stop()  # its last row is written
    rows = (await pair.run("logs", "--json")).splitlines()
    assert 0 < len(rows) <= of_client
    assert 0 < len(upstream.of()) <= of_upstream
