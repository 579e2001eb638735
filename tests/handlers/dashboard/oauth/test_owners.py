"""Owners invite people and end their devices on the dashboard."""

import re

import pytest

from gateway.sign_in.users import Role
from tests.devices import add_device, add_person
from tests.handlers.admin.operators import Operator
from tests.handlers.dashboard.browsing import signed_in

pytestmark = pytest.mark.gen_test(timeout=20)
USERS, DEVICES = "/dashboard/users", "/dashboard/devices"
LINK = re.compile(r"/dashboard/link#[\w-]{43}")


async def test_an_owner_invites_a_person_on_the_dashboard(serving):
    owner, gateway = await signed_in(serving, name="grace"), serving.gateway
    asked = {"action": "invite", "name": "ada", "limit": "cost 50/30d"}
    made = await owner.post(USERS, asked)
    assert LINK.search(made.html)
    ada = gateway.sign_in.user_named("ada")
    assert ada.role is Role.HOLDER
    assert [one.maximum for one in gateway.oauth.seat_of(ada.id).limits] == [50_000_000]
    assert not LINK.search((await owner.get(USERS)).html)
    wrong = await owner.post(USERS, {**asked, "name": "eve", "limit": "no limit"})
    assert wrong.status == 400
    assert gateway.sign_in.user_named("eve") is None
    # A user with a password gets a seat, and no link.
    mine = await owner.post(USERS, {"action": "invite", "name": "grace"})
    assert mine.headers["location"] == USERS
    assert "Your seat and devices" in (await owner.get(USERS)).text
    assert (await owner.get("/dashboard/my")).status == 200


async def test_a_record_says_which_device_it_was(serving):
    await add_person(serving, "ada")
    issued = await add_device(serving, "ada", "tower <b>")
    bearer = {"authorization": f"Bearer {issued.access.reveal()}"}
    assert (await serving.ask(headers=bearer)).status == 200
    (row,) = await serving.rows()
    owner = await signed_in(serving, name="grace")
    page = await owner.get(f"/dashboard/requests/{row['request_id']}")
    assert f"tower <b>, number {issued.device_id}" in page.text
    assert "tower <b>" in (await owner.get("/dashboard/requests")).text
    told = await Operator(serving).get(f"/api/logs/{row['request_id']}")
    assert (told["device"], told["device_id"]) == ("tower <b>", issued.device_id)


async def test_an_owner_ends_any_device_softly_or_at_once(serving):
    await add_person(serving, "ada")
    first = await add_device(serving, "ada", "laptop")
    second = await add_device(serving, "ada", "tower <b>")
    owner, oauth = await signed_in(serving, name="grace"), serving.gateway.oauth
    page = await owner.get(DEVICES)
    assert "laptop" in page.text
    assert "<b>" not in page.html
    for device, action, reason in (
        (first, "sign-out", "signed out"),
        (second, "end", "ended"),
    ):
        sent = {"device": str(device.device_id), "action": action}
        done = await owner.post(DEVICES, sent)
        assert done.headers["location"] == DEVICES
        assert oauth.device(device.device_id).end_reason == reason
    page = await owner.get(DEVICES)
    assert "tower" not in page.text
    for wrong in ("99", "\u0661", "", "9" * 30):
        refused = await owner.post(DEVICES, {"device": wrong, "action": "end"})
        assert refused.status == 404
    operator = await signed_in(serving, Role.OPERATOR, "eve")
    assert (await operator.get(DEVICES)).status == 403
    assert (await operator.post(DEVICES, sent, on=USERS)).status == 403
