"""Recordings of the flight recorder as pages, and the file for an owner."""

import json

import pytest

from gateway.monitoring.recorder.files import write_recording
from gateway.sign_in.users import Role
from handlers.dashboard.screens.recorder import MOST_LINES
from tests.handlers.dashboard.browsing import signed_in

pytestmark = pytest.mark.gen_test(timeout=30)

RECORDER = "/dashboard/recorder"
ATTACK = "\"><img src=x onerror=alert(1)><script>alert('2')</script>"
BLOCK = {
    "kind": "block",
    "at": 1_700_000_000.0,
    "blocked_ms": 312,
    "cause": "busy",
    "where": f"schemas/request.py:88 {ATTACK}",
    "stacks": [{"after_ms": 75, "frames": [f"json/decoder.py:9 {ATTACK}"]}],
}
SAMPLE = {
    "kind": "sample",
    "at": 1_700_000_001.0,
    "lag_ms": 261.8,
    "cpu": 0.5,
    "turns": 1,
    "streams": [{"id": "r1", "age": 9.0, "heard": 4.25}, {"id": "r2", "age": 3.0}],
}


def record(serving, *lines):
    """A recording of these lines; its name."""
    written = [json.dumps(line).encode() for line in lines]
    return write_recording(serving.settings.data_dir, written).name


async def test_without_any_it_says_so(serving):
    browser = await signed_in(serving, Role.OPERATOR)
    page = await browser.get(RECORDER)
    assert page.status == 200
    assert "the gateway has not stood still" in page.text


async def test_all_are_listed_and_each_is_readable(serving):
    browser = await signed_in(serving, Role.OPERATOR)
    record(serving, {})
    worse = {**BLOCK, "blocked_ms": 1_500, "cause": "waiting"}
    name = record(serving, SAMPLE, BLOCK, SAMPLE, worse)
    page = await browser.get(RECORDER)
    mine = [link for link in page.links if link.startswith(f"{RECORDER}/")]
    assert len(mine) == 2
    assert mine[0] == f"{RECORDER}/{name}"  # the newest
    for part in ("2 times", "1.5 s", "waiting for something else"):
        assert part in page.text
    page = await browser.get(mine[0])
    for part in ("312 ms", "1.5 s", "busy in schemas/request.py:88", "4.2 s", "50 %"):
        assert part in page.text
    assert "json/decoder.py:9" in page.text
    assert "<script>" in page.text  # as text
    assert "img" not in page.tags
    page = await browser.get(mine[1])
    assert "breaks off before a block" in page.text


async def test_the_last_of_many_lines_are_shown(serving):
    browser = await signed_in(serving, Role.OPERATOR)
    name = record(serving, *[SAMPLE, BLOCK] * (MOST_LINES + 1))
    page = await browser.get(f"{RECORDER}/{name}")
    assert page.text.count(f"The last {MOST_LINES} of {MOST_LINES + 1}") == 2
    assert page.text.count("json/decoder.py:9") == MOST_LINES


async def test_no_name_leads_elsewhere(serving):
    browser = await signed_in(serving)
    record(serving, BLOCK)
    for name in ("nothing.jsonl", "..%2fgateway.db", "..%2f..%2fetc%2fpasswd"):
        for path in (f"{RECORDER}/{name}", f"{RECORDER}/{name}/file"):
            assert (await browser.get(path)).status == 404


async def test_only_an_owner_who_has_just_signed_in_gets_the_file(serving):
    name = record(serving, SAMPLE, BLOCK)
    path = f"{RECORDER}/{name}/file"
    operator = await signed_in(serving, Role.OPERATOR, "bob")
    assert (await operator.get(path)).status == 403
    assert path not in (await operator.get(f"{RECORDER}/{name}")).links
    viewer = await signed_in(serving, Role.VIEWER, "eve")
    assert (await viewer.get(RECORDER)).status == 403
    owner = await signed_in(serving)
    assert path in (await owner.get(f"{RECORDER}/{name}")).links
    answered = await owner.get(path)
    assert answered.status == 200
    assert answered.headers["content-type"] == "application/x-ndjson"
    assert answered.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert [json.loads(line) for line in answered.html.splitlines()] == [SAMPLE, BLOCK]
    late = await signed_in(serving, name="ann", ago=3600)
    sent_on = await late.get(path)
    assert sent_on.status == 303
    assert sent_on.headers["location"].startswith("/dashboard/confirm?next=")
