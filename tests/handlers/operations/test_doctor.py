"""The doctor's route, and what a visit without anything in between finds."""

import asyncio

import aiohttp
import pytest

from gateway.doctor import client_checks
from gateway.doctor.client import Visit
from gateway.doctor.findings import Level

pytestmark = pytest.mark.gen_test(timeout=60)
DOCTOR = "/backend-api/codex/doctor"


async def visit(serving, key=None):
    """The findings by check, the 70 seconds left out."""
    await serving.gateway.catalogues.refresh_due()
    async with aiohttp.ClientSession() as session:
        seen = Visit(session, serving.base_url, key)
        found = [
            one async for one in client_checks.check_connection(seen, is_quick=True)
        ]
    return {finding.check: finding for finding in found}


async def test_a_gateway_on_this_machine_is_well(serving):
    found = await visit(serving)
    assert {one.level for one in found.values()} == {Level.OK}, found
    assert set(found) == {
        *("reachable", "tls", "clock", "open", "key", "headers", "models"),
        *("websocket", "buffering", "body", "provider name"),
    }


async def test_nothing_of_a_visit_reaches_upstream(serving):
    await visit(serving)
    assert serving.upstream.of("responses") == []


async def test_a_visit_where_keys_are_in_use_needs_one(serving):
    key = await serving.add_key()
    found = await visit(serving)
    # What needs the key is not tried: its 401 would be blamed on a proxy.
    assert set(found) == {"reachable", "tls", "clock", "open", "provider name", "key"}
    failed = [one.check for one in found.values() if one.level is Level.FAIL]
    assert failed == ["key"]
    found = await visit(serving, key)
    assert {one.level for one in found.values()} == {Level.OK}, found


@pytest.mark.settings(websockets=False)
async def test_sockets_that_are_off_are_told_apart_from_a_proxy_in_the_way(serving):
    found = (await visit(serving))["websocket"]
    assert (found.level, found.fix) == (Level.WARN, "GATEWAY_WEBSOCKETS=on")


@pytest.mark.settings(max_body_bytes=1024 * 1024)
async def test_a_body_limit_of_the_gateways_own_is_named(serving):
    found = (await visit(serving))["body"]
    assert (found.level, found.fix) == (
        Level.FAIL,
        "GATEWAY_MAX_BODY_BYTES=134217728",
    )


async def test_the_route_is_closed_to_who_is_not_let_in(serving):
    headers = {"x-forwarded-for": "203.0.113.9"}
    assert (await serving.ask(DOCTOR, b"", headers=headers)).status == 401
    await serving.add_key()
    assert (await serving.ask(DOCTOR, b"")).status == 401


@pytest.mark.parametrize("query", ["silence=1e9", "events=nan", "pause=-1", "events=x"])
async def test_a_visit_is_bounded(serving, query):
    answered = await serving.ask(f"{DOCTOR}?{query}", b"")
    assert answered.status == 400


async def test_only_so_many_doctors_are_at_work(serving):
    async def knock():
        async with serving.session.post(f"{DOCTOR}?events=1&pause=0.3") as response:
            await response.read()
            return response.status

    statuses = await asyncio.gather(*(knock() for _ in range(12)))
    assert sorted(statuses) == [200] * 8 + [503] * 4
    assert await knock() == 200
