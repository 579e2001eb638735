"""A device login against an endpoint on a real socket."""

import asyncio

import pytest

from gateway.upstream import UpstreamFault
from gateway.upstream.logins.device_login import DeviceLogin
from tests.gateway.upstream.token_endpoint import Endpoint, serving


def test_device_login_waits_for_its_confirmation():
    endpoint = Endpoint()
    endpoint.pending = 2

    async def main():
        async with serving(endpoint) as (session, url):
            login = DeviceLogin(session, url)
            code = await login.start()
            assert (code.user_code, code.verification_url) == (
                "AB-12",
                f"{url}/codex/device",
            )
            granted = await login.finish(code)
            assert granted.chatgpt_account_id == "acc"
            assert granted.email == "a@example.com"
            (_, text), *_ = endpoint.requests
            assert "code_verifier=verifier-1" in text
            assert "grant_type=authorization_code" in text
            assert "%2Fdeviceauth%2Fcallback" in text

    asyncio.run(main())


CODE = {"device_auth_id": "dev", "user_code": "AB-12"}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (200, {"user_code": "AB-12"}),
        (200, {"device_auth_id": "dev"}),
        (200, {}),
        (500, CODE),
        (403, CODE),
    ],
)
def test_no_login_begins_without_a_whole_code(status, told):
    endpoint = Endpoint()
    endpoint.code = status, told

    async def main():
        async with serving(endpoint) as (session, url):
            with pytest.raises(UpstreamFault) as refused:
                await DeviceLogin(session, url).start()
        assert refused.value.failure.code == "device_login_refused"
        assert f"(status {status})" in refused.value.failure.message

    asyncio.run(main())


@pytest.mark.parametrize(
    ("told", "interval"), [({}, 5.0), ({"interval": 0}, 5.0), ({"interval": 999}, 60.0)]
)
def test_the_questions_have_a_sane_interval(told, interval):
    endpoint = Endpoint()
    endpoint.code = 200, {**CODE, **told}

    async def main():
        async with serving(endpoint) as (session, url):
            assert (await DeviceLogin(session, url).start()).interval == interval

    asyncio.run(main())
