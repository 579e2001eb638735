"""Whether all is well, as the admin API tells it."""

import asyncio
import time

import pytest

from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.monitoring.recorder.files import write_recording
from gateway.store.store import FILE_TROUBLE
from tests.serving import CODEX, V1, next_event, payload

pytestmark = pytest.mark.gen_test(timeout=30)

TURN = ScriptedTurn().text("one two").completed()


async def test_a_gateway_says_how_it_fares(serving, operator, upstream):
    told = await operator.get("/api/status")
    process = told["gateway"]
    assert (process["turns"], process["sockets"]) == (0, 0)
    assert process["codex_version"].startswith("0.")
    assert process["version"]
    assert 0 <= process["uptime"] < 60
    assert set(process["readiness"].values()) == {"ok"}
    assert [one["name"] for one in told["accounts"]] == ["one", "two"]
    assert told["queues"] == {
        **dict.fromkeys(("accounts", "keys", "log"), 0),
        **dict.fromkeys(("body_bytes", "lost_rows"), 0),
    }
    assert told["lag"]["loop"] >= 0 <= told["lag"]["writer"]
    assert told["database"]["bytes"] > 0
    assert told["database"]["place"].endswith("gateway.db")
    assert told["database"]["problem"] is None
    assert (told["recording"], told["limits"]) == (None, [])


async def test_what_runs_is_counted(serving, operator, upstream):
    upstream.answer(ScriptedResponse((*TURN.events[:6], asyncio.Event())))
    async with serving.stream() as response, serving.socket():
        await next_event(response)
        process = (await operator.get("/api/status"))["gateway"]
        assert (process["turns"], process["sockets"]) == (1, 1)


async def test_windows_and_limits_say_when_they_run_out(serving, operator, upstream):
    now = time.time()
    headers = {
        "x-codex-primary-used-percent": "80",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": str(int(now + 3 * 3600)),
    }
    key = {"x-api-key": await serving.add_key("bob", limits=["requests 2/1d"])}
    await serving.add_key("off", limits=["requests 2/1d"], disabled=True)
    upstream.answer(TURN.answer().with_headers(headers))
    assert (await serving.ask(V1, headers=key)).status == 200
    told = await operator.get("/api/status")
    windows = told["accounts"][0]["windows"]
    (window,) = [one for one in windows if one["window_minutes"] == 300]
    # 80 % in two hours: the rest takes half an hour.
    assert abs(window["runs_out_at"] - now - 1800) < 30
    (limit,) = told["limits"]
    assert (limit["key"], limit["limit"]) == ("bob", "requests 2/1d")
    assert (limit["used"], limit["maximum"], limit["used_percent"]) == (1, 2, 50.0)
    listed = await operator.get("/api/keys")
    by_name = {one["name"]: one for one in listed["keys"]}
    assert by_name["bob"]["usage"][0]["current_value"] == 1
    await serving.rows()
    listed = (await operator.get("/api/keys"))["keys"]
    uses = {one["name"]: one["last_used_at"] for one in listed}
    assert uses["off"] is None
    assert abs(uses["bob"] - now) < 60


async def test_failures_are_counted_by_whose_fault_they_are(
    serving, operator, upstream
):
    upstream.answer(faults.server_error(), times=None)
    assert (await serving.ask(CODEX)).status == 500
    assert (await serving.ask(V1, payload(tools=1))).status == 400
    await serving.rows(2)
    errors = (await operator.get("/api/status"))["errors"]
    assert (errors["requests"], errors["failed"]) == (2, 2)
    assert errors["by_origin"] == {"client": 1, "upstream": 1}


async def test_the_last_block_is_told(serving, operator):
    block = b'{"kind": "block", "blocked_ms": 312, "cause": "busy"}'
    write_recording(serving.settings.data_dir, [b'{"kind": "sample"}', block])
    recording = (await operator.get("/api/status"))["recording"]
    assert recording["what"] == "312 ms, busy"
    assert abs(recording["at"] - time.time()) < 60


@pytest.mark.parametrize("rest", [b'{"kind": "bl', b"\xc3", b""])
async def test_a_recording_that_was_cut_off_is_no_fault(serving, operator, rest):
    write_recording(serving.settings.data_dir, [b'{"kind": "sample"}', rest])
    assert (await operator.get("/api/status"))["recording"]["what"] is None


async def test_a_lost_database_is_told(serving, operator):
    serving.gateway.store.file_trouble = FILE_TROUBLE
    told = await operator.get("/api/status")
    assert told["database"]["problem"] == FILE_TROUBLE
    assert told["errors"] is not None


async def test_a_database_that_cannot_be_read_is_not_waited_for(serving, operator):
    folder = serving.settings.data_dir
    (folder / "gateway.db").rename(folder / "moved.db")
    (folder / "gateway.db").mkdir()
    told = await operator.get("/api/status")
    assert told["errors"] is told["recording"] is None
    assert "not available" in told["database"]["problem"]
    assert [one["name"] for one in told["accounts"]] == ["one", "two"]
    (folder / "gateway.db").rmdir()
    (folder / "moved.db").rename(folder / "gateway.db")
