"""A device login against an endpoint on a real socket."""

import asyncio

from gateway.upstream.device_login import DeviceLogin
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
