"""/dashboard/notices: what operators were told, and an owner's test of the channels."""

import re

import pytest

from gateway.secret import Secret
from gateway.sign_in.users import Role
from gateway.store.notices import NoticeRow, put_notices
from gateway.store.pages.page_reads import SHOWN_ROWS
from tests.gateway.notifications.receivers import SECRET, Receiver
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.record.records import HOSTILE

NOTICES = "/dashboard/notices"


def notice(number, **columns):
    return {
        "message_id": f"msg_{number}",
        "event": "account.login",
        "scope": f"account {number}",
        "level": 1,
        "channel": "webhook",
        "title": f"title-{number:03}",
        "text": "It needs a login.",
        "created_at": 1_900_000_000_000 + number,
        "next_at": None,
        "told_at": 1_900_000_001_000,
        "answer": "status 204",
        **columns,
    }


async def fill(serving, *rows):
    def replace():
        NoticeRow.delete().execute()
        put_notices(list(rows))

    await serving.gateway.store.write(replace)


@pytest.mark.gen_test
async def test_each_notice_says_by_which_channel_and_what_came_of_it(serving):
    await fill(
        serving,
        notice(1),
        notice(
            2, told_at=None, next_at=1_900_000_009_000, attempts=2, answer="refused"
        ),
        notice(3, told_at=None, attempts=9, answer="too late", over_at=5),
    )
    page = await (await signed_in(serving, Role.VIEWER)).get(NOTICES)
    first, second, third = (page.text.index(f"title-00{n}") for n in (3, 2, 1))
    assert first < second < third
    for told in ("given up", "over", "waiting", "2 attempts so far", "status 204"):
        assert told in page.text, told
    assert "no channel is set" in page.text


@pytest.mark.gen_test
async def test_notices_are_paged(serving):
    await fill(serving, *(notice(number) for number in range(SHOWN_ROWS + 1)))
    browser = await signed_in(serving)
    page = await browser.get(NOTICES)
    (older,) = [one for one in page.links if "before=" in one]
    page = await browser.get(older)
    assert "title-000" in page.text
    assert "title-001" not in page.text
    (newer,) = [one for one in page.links if "after=" in one]
    page = await browser.get(newer)
    titles = [f"title-{number:03}" for number in range(SHOWN_ROWS, 0, -1)]
    assert re.findall(r"title-\d{3}", page.text) == titles


@pytest.mark.gen_test
async def test_only_an_owner_sends_a_test_and_sees_what_became_of_it(serving):
    receiver = Receiver()
    await receiver.start()
    await serving.restart(
        notify_webhook_url=Secret(receiver.url), notify_webhook_secret=Secret(SECRET)
    )
    for role, status in ((Role.VIEWER, 403), (Role.OPERATOR, 403), (Role.OWNER, 200)):
        browser = await signed_in(serving, role, name=role)
        page = await browser.post(NOTICES)
        assert page.status == status
        assert ("What the channels made" in page.text) is (role is Role.OWNER)
    assert "Operators are told by webhook" in page.text
    assert "sent" in page.text
    assert (await receiver.event())[0] == "test"
    await receiver.stop()


@pytest.mark.gen_test
async def test_what_a_channel_answered_stays_text(serving):
    rest = {"title": HOSTILE, "text": HOSTILE, "answer": HOSTILE, "channel": "<b>"}
    await fill(serving, notice(1, **rest))
    page = await (await signed_in(serving)).get(NOTICES)
    assert "img" not in page.tags
    assert page.tags.count("script") == 2
