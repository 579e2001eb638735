"""What clients get while it is not known what others use of a key's limits."""

import itertools

import pytest

from tests.serving import CODEX, V1

# Each beat is sixteen seconds old when it is asked for.
LATE = itertools.count(10**12, 16)


@pytest.mark.gen_test
async def test_closed_limits_are_refused_and_all_else_goes_on(serving, upstream):
    closed = {"x-api-key": await serving.add_key("one", limits=["tokens 1M/1d"])}
    others = [
        {"x-api-key": await serving.add_key("two", limits=["tokens 1M/1d open"])},
        {"x-api-key": await serving.add_key("three", rpm=100)},
    ]
    membership = serving.gateway.membership
    membership._is_on_file, membership._clock = False, lambda: next(LATE)
    membership._has_failed = True
    for path in (CODEX, V1):
        refused = await serving.ask(path, headers=closed)
        assert (refused.status, refused.error["code"]) == (503, "database_unavailable")
        assert refused.error["origin"] == "gateway"
        assert "retry-after" not in refused.headers
    for headers in others:
        assert (await serving.ask(headers=headers)).status == 200
    rows = await serving.rows(4)
    codes = [row["error_code"] for row in rows]
    assert sorted(filter(None, codes)) == ["database_unavailable"] * 2
    turns = [one for one in upstream.requests if one.path.endswith("/responses")]
    assert len(turns) == 2
