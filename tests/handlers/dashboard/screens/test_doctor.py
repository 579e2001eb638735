"""The doctor's page: one examination at a time, its findings as they come."""

import asyncio

import pytest

from gateway.doctor.examination import Examination
from gateway.doctor.findings import fail, ok, warn
from gateway.sign_in.users import Role
from tests.handlers.dashboard.browsing import signed_in

pytestmark = pytest.mark.gen_test(timeout=20)
DOCTOR = "/dashboard/doctor"


class Held(Examination):
    """Finds what it is given, and then waits until it may end."""

    def __init__(self, gateway, *findings):
        super().__init__(gateway, "http://gw.example", is_quick=True)
        self.findings += findings
        self.go = asyncio.Event()

    async def run(self):
        await self.go.wait()


FINDINGS = (
    ok("disk", "5 MiB free"),
    warn("<script>", '"><img src=x onerror=alert(1)>', "{{ fix }}"),
    fail("permissions", "open to others", "chmod 600 /x"),
)


async def test_findings_stand_there_as_they_come(serving):
    browser = await signed_in(serving, Role.OPERATOR)
    assert "Examine" in (await browser.get(DOCTOR)).text
    held = serving.gateway.background.start(Held(serving.gateway, *FINDINGS))
    page = await browser.get(DOCTOR)
    assert "3 findings so far" in page.text
    assert ("http-equiv", "refresh") in page.attributes
    assert "img" not in page.tags
    held.findings.append(ok("late", "one more"))
    part = await browser.get(DOCTOR, hx_request="true")
    assert "one more" in part.text
    assert "html" not in part.tags
    again = await browser.post(DOCTOR, {"silence": "on"})
    assert (again.status, "under way already" in again.text) == (409, True)
    held.go.set()
    await asyncio.wait({held._task})
    page = await browser.get(DOCTOR)
    assert page.text.index("chmod 600") < page.text.index("{{ fix }}")
    assert page.text.index("{{ fix }}") < page.text.index("5 MiB free")
    assert ("http-equiv", "refresh") not in page.attributes


async def test_an_examination_begins_and_ends_from_the_page(serving):
    browser = await signed_in(serving, Role.OPERATOR)
    begun = await browser.post(DOCTOR)
    assert begun.headers["location"] == DOCTOR
    (one,) = serving.gateway.background.of(Examination)
    assert (one.url, one.is_quick) == (serving.base_url, True)
    first_run = "/dashboard/first-run"
    ended = await browser.post(DOCTOR, {"do": "cancel", "next": first_run})
    assert first_run in (await browser.follow(ended)).links
    assert not one.is_running
    assert "It was cancelled" in (await browser.get(DOCTOR)).text


async def test_a_viewer_sees_nothing_of_it(serving):
    browser = await signed_in(serving, Role.VIEWER)
    assert (await browser.get(DOCTOR)).status == 403
    page = await browser.post(DOCTOR, on="/dashboard/accounts/one")
    assert page.status == 403
    assert serving.gateway.background.of(Examination) == []
