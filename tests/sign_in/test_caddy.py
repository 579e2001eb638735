"""The shipped Caddyfile: what passes it, and what a poll meets during a restart."""

import asyncio
import shutil

import aiohttp
import pytest

from tests.e2e.conftest import missing
from tests.e2e.gateway_process import ROOT, free_port

pytestmark = [pytest.mark.sign_in, pytest.mark.gen_test(timeout=60)]
SHIPPED = ROOT / "gateway" / "deploy" / "Caddyfile"
POLL = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "codex"}


@pytest.fixture
def caddy(io_loop, serving, tmp_path):
    """Its address; the gateway's is that of this process."""
    binary = shutil.which("caddy")
    if binary is None:
        missing("no caddy on this machine")
    url = f"http://127.0.0.1:{free_port()}"
    text = SHIPPED.read_text()
    changed = text.replace("gateway:2455", f"127.0.0.1:{serving.server.port}")
    assert changed != text
    file = tmp_path / "Caddyfile"
    file.write_text("{\n\tadmin off\n}\n" + changed)

    async def start():
        process = await asyncio.create_subprocess_exec(
            *(binary, "run", "--adapter", "caddyfile", "--config", str(file)),
            env={"GATEWAY_PUBLIC_URL": url, "HOME": str(tmp_path)},
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        while b"serving initial configuration" not in (
            line := await process.stderr.readline()
        ):
            assert line, "Caddy did not start"
        return process

    process = io_loop.run_sync(start)
    yield url
    process.terminate()
    io_loop.run_sync(process.communicate)


async def test_a_poll_while_no_gateway_listens_is_to_be_repeated(serving, caddy):
    """For Codex one 5xx is the end of its sign-in."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{caddy}/health") as response:
            assert response.status == 200
        async with session.get(f"{caddy}/none") as response:
            assert response.status == 404
            assert "error" in await response.json()
        await serving.stop()
        async with session.post(f"{caddy}/oauth/token", data=POLL) as response:
            assert response.status == 400
            assert response.content_type == "application/json"
            assert response.headers["cache-control"] == "no-store"
            assert await response.json() == {"error": "authorization_pending"}
        for path in ("/oauth/device", "/health"):
            async with session.post(f"{caddy}{path}", data=POLL) as response:
                assert response.status == 502
