"""What /health/ready says of the clock, and of a database file that was replaced."""

import asyncio
import time
from email.utils import formatdate

import aiohttp
import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.doctor import client_checks
from gateway.doctor.client import Visit


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (3, "this machine's clock is 3 days behind upstream's"),
        (-400, "this machine's clock is 400 days ahead of upstream's"),
        (0.5, "this machine's clock is 720 min behind upstream's"),
        (0, None),
    ],
)
@pytest.mark.gen_test
async def test_a_clock_that_is_off_is_said_and_keeps_nobody_out(
    serving, upstream, days, told
):
    date = formatdate(time.time() + days * 86_400 + 10, usegmt=True)
    for route in ("models", "usage"):
        answer = ScriptedResponse.json({}, headers={"date": date})
        upstream.answer(answer, route=route, times=None)
    await serving.gateway.usage.poll(serving.account("one"))
    answered = await serving.get("/health/ready")
    assert (answered.status, answered.json["status"]) == (200, "ok")
    warning = answered.json["warnings"].get("clock")
    assert warning == (told and f"{told}: tokens and limits end at the wrong time")
    async with aiohttp.ClientSession() as session:
        visit = Visit(session, serving.base_url, None)
        findings = await client_checks.warned(visit)
    assert [told in finding.message for finding in findings] == [True] * bool(told)


@pytest.mark.gen_test
async def test_a_database_file_that_is_gone_or_another_is_noticed(serving, caplog):
    file = serving.settings.data_dir / "gateway.db"
    kept = file.with_name("kept")

    async def database_told(is_ok):
        async with asyncio.timeout(30):
            while True:
                answered = await serving.get("/health/ready")
                told = answered.json["checks"]["database"]
                if (told == "ok") is is_ok:
                    return answered.status, told
                await asyncio.sleep(0.01)

    watching = asyncio.create_task(serving.gateway.store.watch_file(0.01))
    for change in (lambda: None, lambda: file.write_bytes(kept.read_bytes())):
        file.rename(kept)
        change()
        status, told = await database_told(False)
        assert (status, "deleted or replaced" in told) == (503, True)
        kept.rename(file)
        assert await database_told(True) == (200, "ok")
    watching.cancel()
    errors = [one for one in caplog.messages if "its file was deleted" in one]
    assert len(errors) >= 2


@pytest.mark.gen_test
async def test_strangers_learn_what_fails_and_not_where(serving):
    """A driver's words name the server and its user."""
    writer = serving.gateway.store.writer
    writer.last_error = 'OperationalError: server at "db.lan", user "gw" failed'
    told = {}
    for whose in ({}, {"x-forwarded-for": "203.0.113.9"}, {"host": "gateway.example"}):
        answered = await serving.get("/health/ready", headers=whose)
        told[str(whose)] = answered.json["checks"]["database"]
        assert answered.status == 503
    assert "db.lan" in told.pop("{}")
    assert set(told.values()) == {"not writable"}
