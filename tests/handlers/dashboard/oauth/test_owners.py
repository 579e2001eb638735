"""Owners invite people and end their devices on the dashboard."""

import re

import pytest

from gateway.admin.users.people import invite
from gateway.sign_in.users import Role
from tests.devices import add_device, add_person
from tests.handlers.admin.operators import Operator
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.forms import fill

pytestmark = pytest.mark.gen_test(timeout=20)
USERS, DEVICES = "/dashboard/users", "/dashboard/devices"
KEYS = "/dashboard/keys"
PEOPLE, INVITE = "/dashboard/people", "/dashboard/people/invite"
LINK = re.compile(r"/dashboard/link#[\w-]{43}")


async def test_an_owner_invites_a_person_with_all_that_a_key_may_be_held_to(serving):
    owner, gateway = await signed_in(serving, name="grace"), serving.gateway
    rows = {
        "limit_measure": ["cost", "requests"],
        "limit_amount": ["50", "9"],
        "limit_window": ["30d", "1h"],
        "limit_model": ["", "gpt-5*"],
    }
    made = await fill(owner, INVITE, name=" ada ", concurrency="3", **rows)
    assert LINK.search(made.html)
    ada = gateway.sign_in.user_named("ada")
    assert ada.role is Role.HOLDER
    seat = gateway.oauth.seat_of(ada.id)
    assert list(map(str, seat.limits)) == [
        "cost 50/30d",
        "requests 9/1h model=gpt-5*",
    ]
    assert seat.concurrency == 3
    page = await owner.get(PEOPLE)
    assert not LINK.search(page.html)
    assert "Cost per 30 days" in page.text
    # What is wrong stands in the form, with all that was given.
    wrong = {**rows, "limit_amount": ["50", "much"]}
    refused = await fill(owner, INVITE, name="eve", **wrong)
    assert refused.status == 400
    assert "much" in refused.html
    assert refused.fields["name"] == "eve"
    for name in ("", "x" * 81, "ada"):
        assert (await fill(owner, INVITE, name=name, **rows)).status == 400
    assert gateway.sign_in.user_named("eve") is None


async def test_a_key_becomes_a_seat_on_the_dashboard(serving):
    token = await serving.add_key("tower", rpm=7)
    owner, gateway = await signed_in(serving, name="grace"), serving.gateway
    made = await fill(owner, INVITE, name="ada", key="tower")
    assert LINK.search(made.html)
    (seat,) = gateway.ring
    assert (seat.name, seat.rpm) == ("tower", 7)
    assert gateway.oauth.seat_of(gateway.sign_in.user_named("ada").id) is seat
    assert (await serving.ask(headers={"x-api-key": token})).status == 401
    assert "tower" not in (await owner.get(INVITE)).html
    # A user with a password gets a seat, and no link.
    mine = await fill(owner, INVITE, name="grace")
    assert mine.headers["location"] == PEOPLE
    assert "Your seat and devices" in (await owner.get(PEOPLE)).text
    assert (await owner.get("/dashboard/my")).status == 200


async def test_who_has_not_come_yet_gets_another_link_once(serving):
    owner = await signed_in(serving, name="grace")
    await serving.gateway.store.write(invite, "ada", {}, "cli")
    await serving.gateway.reload()
    page = await owner.get(PEOPLE)
    ada = serving.gateway.sign_in.user_named("ada")
    sent = {**page.fields, "person": str(ada.id)}
    assert LINK.search((await owner._send("POST", PEOPLE, sent, {})).html)
    assert (await owner._send("POST", PEOPLE, sent, {})).status == 409
    for wrong in ("99", "", "x" * 300):
        once = (await owner.get(PEOPLE)).fields["once"]
        answered = await owner.post(PEOPLE, {"once": once, "person": wrong})
        assert answered.status == 404
    assert len(serving.gateway.sign_in.users) == 2


async def test_pages_of_a_seat_offer_what_a_seat_has(serving):
    user_id, _ = await add_person(serving, "ada")
    await serving.add_key("tower")
    owner = await signed_in(serving, name="grace")
    user = await owner.get(f"{USERS}/{user_id}")
    assert {"/dashboard/keys/ada", f"{DEVICES}?person={user_id}"} <= set(user.links)
    assert "The seat and its devices go, too" in user.text
    seat, key = await owner.get(f"{KEYS}/ada"), await owner.get(f"{KEYS}/tower")
    assert f"{USERS}/{user_id}" in seat.links
    assert (f"{KEYS}/ada/rotate" in seat.links, "sk-cgw" in seat.text) == (False, False)
    assert (f"{KEYS}/tower/rotate" in key.links, "sk-cgw" in key.text) == (True, True)


async def test_devices_of_one_person(serving):
    for name, device in (("ada", "laptop"), ("eve", "tower")):
        await add_person(serving, name)
        await add_device(serving, name, device)
    owner = await signed_in(serving, name="grace")
    eve = serving.gateway.sign_in.user_named("eve")
    assert f"{DEVICES}?person={eve.id}" in (await owner.get(PEOPLE)).links
    page = await owner.get(f"{DEVICES}?person={eve.id}")
    assert ("tower" in page.text, "laptop" in page.text) == (True, False)


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
