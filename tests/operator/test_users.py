"""Users, sessions and links: on PostgreSQL, of two processes, and on a terminal."""

import asyncio
import os
import pty
import re
import sys
import time

import aiohttp
import pytest

from gateway.admin.errors import Unacceptable
from gateway.admin.users import changes
from gateway.keys.key import KeyRing
from gateway.sign_in import links, sessions
from gateway.sign_in.account_rows import add_user
from gateway.sign_in.delays import SignInTooSoon
from gateway.sign_in.guesses import SignInRefused
from gateway.sign_in.sign_in import SignIn
from gateway.sign_in.users import Role
from tests.e2e.gateway_process import ROOT
from tests.gateway.sign_in.conftest import CHEAP, HOME
from tests.gateway.sign_in.test_sign_in import (
    SECRET,
    authenticator_code,
    enter,
    session_of,
)
from tests.gateway.store.store_rows import make_store

pytestmark = [pytest.mark.operator, pytest.mark.gen_test]


@pytest.fixture
def store(tmp_path, io_loop, database_url):
    made = make_store(tmp_path, url=database_url)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def signing_in(store):
    """Of two processes that have the database."""
    both = [SignIn(store, store.secrets, KeyRing()) for _ in range(2)]
    yield both
    for one in both:
        one.close()


async def test_users_come_in_and_go_as_on_sqlite(store, signing_in):
    here, there = signing_in
    write, now = store.write, time.time()
    older = await write(links.make_link, links.NOBODY, now)
    newer = await write(links.make_link, links.NOBODY, now)
    assert await here.whose_link(newer) is None
    with pytest.raises(links.LinkOver):
        await here.whose_link(older)
    ada = await write(add_user, "ada", Role.OWNER, CHEAP)
    with pytest.raises(links.LinkOver):
        await here.whose_link(newer)
    await here.load()
    mine = session_of(here, await enter(here))
    codes = await here.set_totp(mine, SECRET, authenticator_code())
    await there.load()
    assert await enter(there, code=authenticator_code(ahead=1))
    assert await enter(there, code=codes[0])
    with pytest.raises(SignInRefused):  # used there
        await enter(here, code=codes[0])
    with pytest.raises(SignInTooSoon):
        await enter(there)
    for _ in range(sessions.MOST_SESSIONS):
        await write(sessions.begin_session, ada, sessions.new_token(), HOME, now)
    await here.load()
    assert len(here.sessions(now)) == sessions.MOST_SESSIONS
    with pytest.raises(Unacceptable, match="the last owner"):
        await write(changes.remove_user, ada.id, "user:ada")
    await write(changes.create_user, "eve", Role.VIEWER, "user:ada")
    await here.load()
    await write(changes.remove_user, here.user_named("eve").id, "user:ada")
    await here.load()
    assert [user.name for user in here.users] == ["ada"]


async def test_a_start_prints_the_first_users_link_on_a_terminal_alone(make_gateway):
    """As a service it names the command; its log is kept, and read by others."""
    gateway = make_gateway("one")
    await gateway.start()
    await gateway.stop()
    assert "dashboard link` prints the link for its first user" in gateway.log()
    assert "link#" not in gateway.log()
    terminal, side = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "run.py"), cwd=ROOT, env=gateway.env, stdout=side, stderr=side
    )
    os.close(side)
    try:
        link = await asyncio.to_thread(_read_link, terminal)
        assert link.startswith(f"{gateway.url}/dashboard/link#")
        audit = await gateway.run("audit", "--json")
        assert link.partition("#")[2] not in audit
        async with aiohttp.ClientSession() as session:
            page = await session.get(link.partition("#")[0])
            assert page.status == 200
    finally:
        process.terminate()
        await process.wait()
        os.close(terminal)


def _read_link(terminal):
    """Of what a process writes to its terminal."""
    text = ""
    while not (found := re.search(r"(http\S+link#[\w-]{43})\s", text)):
        text += os.read(terminal, 4096).decode(errors="replace")
    return found[1]
