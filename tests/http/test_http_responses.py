"""POST …/responses on the Codex surface."""

import pytest

from tests.serving import CODEX, payload


@pytest.mark.gen_test
async def test_a_turn_streams_through(serving, upstream):
    answered = await serving.ask(CODEX, payload("good morning"))
    assert answered.status == 200
    assert answered.types[-1] == "response.completed"
    assert "good morning" in answered.text
    (row,) = await serving.rows()
    assert row["status"] == "success"
