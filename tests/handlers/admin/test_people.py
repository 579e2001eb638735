"""/api/people and /api/devices: seats and their devices, by the admin token."""

import json

import pytest

from gateway.oauth.tokens import is_access_token
from tests.devices import add_device, add_person
from tests.handlers.admin.operators import audit

pytestmark = pytest.mark.gen_test(timeout=20)


async def test_a_person_is_invited_shown_disabled_and_removed(serving, operator):
    made = await operator.post(
        "/api/people", {"name": "ada b", "limits": ["cost 50/30d", "requests 9/1h"]}
    )
    assert made.status == 201
    token = made.json["token"]
    assert made.json == {
        "user": "ada b",
        "token": token,
        "expires_at": made.json["expires_at"],
        "public_url": serving.settings.public_url,
    }
    ada = serving.gateway.sign_in.user_named("ada b")
    seat = serving.gateway.oauth.seat_of(ada.id)
    assert list(map(str, seat.limits)) == ["cost 50/30d", "requests 9/1h"]
    (row,) = (await operator.get("/api/people"))["people"]
    assert (row["person"], row["state"], row["seat"]) == ("ada b", "invited", "ada b")
    again = await operator.post("/api/people", {"name": "Ada B"})
    assert again.json["token"] not in (token, None)
    off = await operator.patch("/api/people/ada%20b", {"disabled": True})
    assert off.json["after"] == {"state": "disabled"}
    assert serving.gateway.sign_in.user_named("ada b").disabled
    gone = await operator.call("DELETE", "/api/people/ada%20b")
    assert gone.json["name"] == "ada b"
    assert (await operator.get("/api/people"))["people"] == []
    told = await audit(serving)
    assert ("api", "user.invite", "ada b") in told
    assert token not in str(told)


async def test_devices_are_listed_and_ended(serving, operator):
    for name in ("ada", "eve"):
        await add_person(serving, name)
    first, second = await add_device(serving), await add_device(serving, "eve")
    assert is_access_token(first.access.reveal())
    listed = await operator.get("/api/devices")
    assert [one["seat"] for one in listed["devices"]] == ["ada", "eve"]
    for secret in (first.access, first.refresh):
        assert secret.reveal() not in json.dumps(listed)
    person = await operator.get("/api/people/ada")
    assert [one["name"] for one in person["signed_in"]] == ["laptop"]
    (mine,) = (await operator.get("/api/devices?person=eve"))["devices"]
    assert mine["id"] == second.device_id
    for device, body, reason in (
        (first, {}, "signed out"),
        (second, {"now": True}, "ended"),
    ):
        path = f"/api/devices/{device.device_id}/sign-out"
        done = await operator.post(path, body)
        assert (done.status, done.json["after"]) == (200, {"state": reason})
        assert serving.gateway.oauth.device(device.device_id).end_reason == reason
    assert (await operator.post(path, {})).status == 409


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/people", {}, 400),
        ("POST", "/api/people", {"name": "x" * 81}, 400),
        ("POST", "/api/people", {"name": "eve", "limits": ["none"]}, 400),
        ("POST", "/api/people", {"name": "eve", "role": "owner"}, 400),
        ("POST", "/api/people", {"name": "eve", "key": "none"}, 404),
        ("PATCH", "/api/people/eve", {"disabled": True}, 404),
        ("PATCH", "/api/people/eve", {}, 400),
        ("GET", "/api/people/eve", None, 404),
        ("DELETE", "/api/people/eve", None, 404),
        ("GET", "/api/devices?person=eve", None, 404),
        ("GET", "/api/devices?persons=eve", None, 400),
        ("POST", "/api/devices/x/sign-out", {}, 404),
        ("POST", "/api/devices/%D9%A1/sign-out", {}, 404),
        ("POST", f"/api/devices/{'9' * 30}/sign-out", {}, 404),
        ("POST", "/api/devices/1/sign-out", {"now": "soon"}, 400),
    ],
)
async def test_what_is_wrong_is_a_clear_error(operator, method, path, body, status):
    answered = await operator.call(method, path, body)
    assert answered.status == status, answered.body
    assert answered.error["message"]
