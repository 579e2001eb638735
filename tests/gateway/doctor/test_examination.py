"""The doctor's checks, made by the gateway that runs."""

import asyncio

import pytest

from gateway.doctor.examination import Examination
from gateway.doctor.findings import Level
from gateway.monitoring.background import TooManyTasks

pytestmark = pytest.mark.gen_test(timeout=60)
NOWHERE = "http://127.0.0.1:1"


async def ended(examination):
    await asyncio.wait({examination._task})
    return {finding.check: finding for finding in examination.findings}


async def test_it_looks_at_home_and_then_from_outside(serving):
    start = serving.gateway.background.start
    examination = start(Examination(serving.gateway, NOWHERE, is_quick=True))
    with pytest.raises(TooManyTasks):
        start(Examination(serving.gateway, NOWHERE, is_quick=True))
    found = await ended(examination)
    assert examination.problem == ""
    assert list(found)[:3] == ["names", "prices", "permissions"]
    assert {"account one", "account two", "upstream"} <= found.keys()
    assert list(found)[-1] == "reachable"
    assert found["reachable"].level is Level.FAIL
    assert found["reachable"].message.startswith(NOWHERE)


@pytest.mark.settings(public_url="http://127.0.0.1:2/")
async def test_it_goes_where_clients_do(serving):
    examination = Examination(serving.gateway, NOWHERE, is_quick=True)
    serving.gateway.background.start(examination)
    found = await ended(examination)
    assert found["reachable"].message.startswith("http://127.0.0.1:2/health")


@pytest.mark.operator
async def test_a_gateway_that_is_well_has_nothing_that_fails(serving):
    await serving.add_key()
    gateway, url = serving.gateway, serving.base_url
    examination = gateway.background.start(Examination(gateway, url, is_quick=True))
    found = await ended(examination)
    assert examination.problem == ""
    assert found["buffering"].level is Level.OK
    assert [one for one in found.values() if one.level is Level.FAIL] == []
