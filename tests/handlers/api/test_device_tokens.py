"""A device's access token opens what a key opens, over both transports."""

import asyncio

import pytest

from gateway.admin.users.changes import disable_user
from gateway.repository.change_watch import LOOK_AGAIN_SECONDS
from tests.devices import add_device, add_person, sign_in_device
from tests.handlers.api.streams import TURN
from tests.serving import CODEX, PATIENCE, V1, payload, rest_of_turn, turn_on

pytestmark = pytest.mark.gen_test
ADVICE = "delete secrets/gateway_oauth.json"


def bearer(issued):
    return {"authorization": f"Bearer {issued.access.reveal()}"}


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
@pytest.mark.parametrize("path", [CODEX, V1])
async def test_a_token_is_taken_wherever_a_key_is(serving, header, path):
    _, key_id = await add_person(serving)
    issued = await add_device(serving)
    token = issued.access.reveal()
    value = f"Bearer {token}" if header == "authorization" else token
    answered = await serving.ask(path, headers={header: value})
    assert answered.status == 200
    (row,) = await serving.rows()
    assert (row["api_key_id"], row["device_id"]) == (key_id, issued.device_id)


async def test_a_keys_row_names_no_device(serving):
    token = await serving.add_key()
    await serving.ask(headers={"x-api-key": token})
    (row,) = await serving.rows()
    assert row["device_id"] is None


async def test_turns_on_a_socket_are_the_devices(serving):
    await add_person(serving)
    issued = await add_device(serving)
    async with serving.socket(headers=bearer(issued)) as ws:
        await turn_on(ws)
        await turn_on(ws)
    rows = await serving.rows(2)
    assert [row["device_id"] for row in rows] == [issued.device_id] * 2


async def test_two_devices_share_the_seats_budget(serving):
    await add_person(serving, limits=["requests 2/1h"])
    laptop, desktop = await add_device(serving), await add_device(serving)
    for issued, status in (
        (laptop, 200),
        (desktop, 200),
        (laptop, 429),
        (desktop, 429),
    ):
        assert (await serving.ask(headers=bearer(issued))).status == status


async def test_an_ended_device_is_told_what_to_do_and_nobody_else(serving):
    await add_person(serving)
    issued, other = await add_device(serving), await add_device(serving)
    await serving.gateway.oauth.sign_out(issued.device_id, "test", at_once=True)
    for _ in range(13):  # what a client repeats in one turn is no attack
        refused = await serving.ask(headers=bearer(issued))
        assert refused.status == 401
        assert ADVICE in refused.error["message"]
    made_up = {"authorization": f"Bearer {issued.access.reveal()[:-1]}x"}
    refused = await serving.ask(headers=made_up)
    assert (refused.status, refused.error["message"]) == (401, "Invalid API key")
    assert (await serving.ask(headers=bearer(other))).status == 200


async def test_a_running_turn_ends_by_itself_and_the_sockets_next_is_refused(
    serving, upstream
):
    await add_person(serving)
    issued = await add_device(serving)
    async with serving.socket(headers=bearer(issued)) as ws:
        held, events = asyncio.Event(), TURN.events
        upstream.answer(*events[:6], held, *events[6:])
        await ws.send_json({"type": "response.create", **payload()})
        await ws.receive_json(timeout=PATIENCE)
        await serving.gateway.oauth.sign_out(issued.device_id, "test", at_once=True)
        held.set()
        assert (await rest_of_turn(ws))[-1]["type"] == "response.completed"
        (refused,) = await turn_on(ws)
    assert refused["status"] == 401
    assert ADVICE in refused["error"]["message"]


async def test_a_token_that_another_process_issued_is_good_at_once(serving):
    await add_person(serving)
    issued = await serving.gateway.store.write(sign_in_device, "ada")
    assert (await serving.ask(headers=bearer(issued))).status == 200
    again = await serving.gateway.store.write(sign_in_device, "ada")
    async with serving.socket(headers=bearer(again)) as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"


async def test_a_token_is_good_after_a_restart(serving):
    await add_person(serving)
    issued = await add_device(serving)
    await serving.restart()
    assert (await serving.ask(headers=bearer(issued))).status == 200


async def test_no_key_is_needed_for_side_calls_of_an_ended_device(serving):
    await add_person(serving)
    issued = await add_device(serving)
    await serving.gateway.oauth.sign_out(issued.device_id, "test", at_once=True)
    answered = await serving.get(
        "/backend-api/ps/plugins/installed", headers=bearer(issued)
    )
    assert answered.status == 200


async def test_what_another_process_ended_is_refused_once_that_is_noticed(serving):
    user_id, _ = await add_person(serving)
    issued, gateway = await add_device(serving), serving.gateway
    assert (await serving.ask(headers=bearer(issued))).status == 200
    await gateway.store.write(
        lambda: disable_user(user_id, "another process", disabled=True)
    )
    await gateway.changes.look()
    refused = await serving.ask(headers=bearer(issued))
    assert refused.status == 401
    assert ADVICE in refused.error["message"]
    assert LOOK_AGAIN_SECONDS < 1
