"""/dashboard/requests/refused, roles, and texts that others chose."""

import pytest

from gateway.sign_in.users import Role
from gateway.store.log.refusals import write_refusals
from gateway.store.models import database
from gateway.store.pages.page_reads import SHOWN_ROWS
from tests.gateway.store.store_rows import log_row
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.record.records import (
    HOSTILE,
    link_to,
    refusal,
    shown,
    write,
)


@pytest.mark.gen_test
async def test_refusals_are_paged_both_ways(serving):
    rows = [refusal(f"{number:032x}") for number in range(SHOWN_ROWS + 2)]
    await serving.gateway.store.write(lambda: write_refusals(database, rows))
    browser = await signed_in(serving)
    page = first = await browser.get("/dashboard/requests/refused")
    for label in ("Older →", "← Newer"):
        page = await browser.get(link_to(page, label))
    ids = [row["request_id"] for row in rows][::-1]
    assert shown(page) == shown(first) == ids[:SHOWN_ROWS]


@pytest.mark.gen_test
async def test_texts_of_others_stay_texts(serving):
    await serving.add_key(HOSTILE[:100])
    row = log_row(
        api_key_id=1,
        status="error",
        http_status=400,
        error_code=HOSTILE,
        error_message=HOSTILE,
        error_origin="client",
        model=HOSTILE,
        requested_model=HOSTILE,
        user_agent=HOSTILE,
        client_request_id=HOSTILE,
        response_id=HOSTILE,
        conversation=HOSTILE[:60],
        changes=[HOSTILE],
        receipt={
            "reason": HOSTILE,
            "passed_over": [[HOSTILE, HOSTILE]],
            "switched_from": HOSTILE,
            "switch_cause": HOSTILE,
            "served": HOSTILE,
            "error": {"type": HOSTILE, "param": HOSTILE},
            "attempts": [
                {"account": HOSTILE, "then": HOSTILE, "code": HOSTILE, "ms": 1}
            ],
        },
    )
    await write(serving, row)
    texts = dict.fromkeys(("client_address", "door", "error_code", "reason"), HOSTILE)
    hostile = refusal("f" * 32) | texts
    await serving.gateway.store.write(lambda: write_refusals(database, [hostile]))
    browser = await signed_in(serving)
    for path in (
        "/dashboard/requests",
        f"/dashboard/requests?model={HOSTILE}&since={HOSTILE}",
        f"/dashboard/requests?id={HOSTILE}",
        f"/dashboard/requests/{row['request_id']}",
        "/dashboard/requests/refused",
        f"/dashboard/requests/refused?since={HOSTILE}",
        f"/dashboard/requests/{'f' * 32}",
    ):
        page = await browser.get(path)
        assert "img" not in page.tags, path
        assert page.tags.count("script") == 2, path
        assert not {name for name, _ in page.attributes if name.startswith("on")}, path
        assert "onerror=alert(1)" in page.text or "since=" in path, path


@pytest.mark.gen_test
async def test_what_was_refused_at_the_door_stands_beside_the_log(serving):
    await serving.add_key("mine")
    for token in ("sk-wrong", "sk-wrong"):
        await serving.ask(headers={"authorization": f"Bearer {token}"})
    (one, _) = await serving.refused(2)
    browser = await signed_in(serving)
    page = await browser.get("/dashboard/requests")
    assert "/dashboard/requests/refused" in page.links
    page = await browser.get("/dashboard/requests/refused")
    assert len(shown(page)) == 2
    assert "401 invalid_api_key" in page.text
    found = await browser.get(f"/dashboard/requests?id={one['request_id'][:9]}")
    assert shown(found) == [one["request_id"]]
    assert shown(await browser.get("/dashboard/requests/refused?key=mine")) == []


@pytest.mark.gen_test
async def test_only_who_may_change_something_sees_addresses_and_files(serving):
    row = log_row(client_address="192.0.2.77")
    await write(serving, row)
    for role, may in ((Role.VIEWER, False), (Role.OPERATOR, True), (Role.OWNER, True)):
        browser = await signed_in(serving, role, name=role)
        page = await browser.get("/dashboard/requests")
        assert ("Export as CSV" in page.text) is may
        receipt = await browser.get(f"/dashboard/requests/{row['request_id']}")
        assert ("192.0.2.77" in receipt.text) is may
