"""What the doctor says of the egress proxy."""

import os
from dataclasses import replace

import pytest

from gateway.doctor.egress_check import check_egress
from gateway.doctor.findings import Level
from gateway.secret import Secret
from gateway.settings import Settings
from tests.egress_proxy import EgressProxy


@pytest.mark.gen_test
async def test_the_doctor_says_whether_the_proxy_leads_to_upstream(upstream):
    settings = replace(
        Settings.from_env(dotenv=os.devnull),
        upstream_base_url=upstream.url.replace("127.0.0.1", "upstream.test"),
    )
    assert await check_egress(settings) == []
    proxy = await EgressProxy().start()
    shown = f"socks5://127.0.0.1:{proxy.port}"

    async def found(url):
        (finding,) = await check_egress(replace(settings, egress_proxy=Secret(url)))
        return finding.level, finding.message

    leads = (Level.OK, f"{shown} leads to upstream.test")
    assert await found(proxy.url("socks5")) == leads
    why = "The egress proxy refuses our credentials"
    refuses = (Level.FAIL, f"{shown}: {why}")
    assert await found(proxy.url("socks5", password="wrong")) == refuses
    await proxy.stop()
    level, message = await found(proxy.url("socks5"))
    assert (level, message.endswith("cannot be reached")) == (Level.FAIL, True)
    assert upstream.requests == []
