"""With nothing but the first link, by clicks alone, to a turn of the real Codex CLI."""

import json
import time
from pathlib import Path

import pytest

from gateway.sign_in import links
from gateway.store.models import RequestLog
from tests.dashboard.secure_site import SecureSite, skip_without
from tests.e2e.codex_cli import CodexCli, find_binary

pytestmark = [pytest.mark.dashboard, pytest.mark.gen_test(timeout=120)]

CLICKS = Path(__file__).with_name("first_run.mjs")


async def click_through(site, folder):
    """What the browser found, and the token of the link that led in."""
    write = site.serving.gateway.store.write
    token = await write(links.make_link, links.NOBODY, time.time())
    link = links.link_url(site.origin, 0, token)
    picture = str(folder / "where-it-ended.png")
    process = await site.browse(CLICKS, link=link, picture=picture)
    out, _ = await process.communicate(b"")
    return json.loads(out), token


@pytest.fixture
def first_run(io_loop, upstream, tmp_path):
    skip_without((find_binary(), "codex (npm ci)"))
    upstream.add_account("one")
    made = SecureSite(tmp_path, upstream)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


async def test_who_has_but_the_link_gets_to_a_turn_by_clicks(first_run, tmp_path):
    found, token = await click_through(first_run, tmp_path)
    assert "error" not in found
    assert (found["console"], found["foreign"]) == ([], [])
    assert not [url for url in found["requested"] if token in url]
    (session,) = [one for one in found["cookies"] if one["name"] == "__Host-codexgate"]
    assert session == {
        "name": "__Host-codexgate",
        "secure": True,
        "httpOnly": True,
        "sameSite": "Strict",
    }
    codex = CodexCli(find_binary(), tmp_path / "codex")
    codex.trust(first_run.certificate)
    (codex.home / "config.toml").write_text('model = "gpt-5.5"\n' + found["lines"])
    run = await codex.exec("hello")
    assert run.returncode == 0, run.stderr
    gateway = first_run.serving.gateway
    await gateway.turns.wait_until_idle()
    await gateway.store.flush()
    rows = await gateway.store.read(lambda: list(RequestLog.select()))
    assert {row.status for row in rows} == {"success"}
    (key,) = gateway.ring
    assert {row.api_key_id for row in rows} == {key.id}
