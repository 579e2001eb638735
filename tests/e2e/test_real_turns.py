"""`doctor --real`: a turn an account and surface, after the owner has said yes."""

import asyncio
import os
import pty
import sys

import pytest

from gateway.demo.faults import server_error, usage_limit
from tests.e2e.gateway_process import ROOT
from tests.e2e.test_doctor import doctor

pytestmark = [pytest.mark.operator, pytest.mark.gen_test(timeout=90)]


async def test_each_account_answers_on_each_surface_and_no_row_is_left(pair, upstream):
    status, found = await doctor(pair, "--quick", "--real", "--yes")
    assert status == 0, found
    assert found["cost"]["message"].startswith("8 turns, 800+160 tokens, $")
    kinds = [(one.account, one.transport, one.path[:3]) for one in upstream.of()]
    assert sorted(kinds) == sorted(
        (account, transport, "/ba")
        for account in ("one", "two")
        for transport in ("http", "websocket", "http", "http")
    )
    assert await pair.run("logs", "--json") == ""
    assert await pair.run("keys", "list", "--json") == ""


async def test_what_upstream_says_is_told_by_account_and_surface(pair, upstream):
    upstream.answer(usage_limit(), account="two", times=None)
    upstream.answer(server_error(), account="one", times=2)
    status, found = await doctor(pair, "--quick", "--real", "--yes")
    assert status == 1
    assert found["real"]["level"] == "fail"  # the last: two's
    assert "usage_limit_reached" in found["real"]["message"]


async def test_without_a_yes_nothing_is_sent(pair, upstream):
    told = await pair.run("doctor", "--quick", "--real", may_fail=True)
    assert "--yes" in told
    outer, inner = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "run.py", "doctor", "--quick", "--real"),
        cwd=ROOT,
        env=pair.env,
        stdin=inner,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    os.write(outer, b"n\n")
    out, _ = await process.communicate()
    os.close(outer)
    os.close(inner)
    assert process.returncode == 1
    assert b"8 tiny turns" in out
    assert upstream.of() == []
