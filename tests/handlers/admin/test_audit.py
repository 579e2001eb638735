"""Who changed what, a page at a time."""

import pytest

pytestmark = pytest.mark.gen_test(timeout=20)


async def test_the_audit_is_read_in_pages_and_by_who_it_was(operator):
    await operator.post("/api/keys", {"name": "a", "rpm": 5})
    for rpm in (6, 7, 8):
        await operator.patch("/api/keys/a", {"rpm": rpm})
    page = await operator.get("/api/audit?actor=api&limit=3")
    assert [row["action"] for row in page["changes"]] == ["key.update"] * 3
    assert page["changes"][0]["detail"] == {"before": {"rpm": 7}, "after": {"rpm": 8}}
    rest = await operator.get(f"/api/audit?actor=api&limit=3&before={page['next']}")
    assert [row["action"] for row in rest["changes"]] == ["key.create"]
    assert rest["next"] is None
    assert (await operator.get("/api/audit?since=tomorrow"))["changes"] == []
    assert (await operator.call("GET", "/api/audit?since=soon")).status == 400
