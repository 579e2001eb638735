"""What is said of a database that another gateway uses, too."""

import asyncio
import fcntl
import os
import sys

import aiohttp
import pytest

from gateway.doctor.client import Visit
from gateway.doctor.client_checks import warned
from gateway.doctor.findings import Level
from gateway.process.database_lock import DatabaseLock
from gateway.store.database import sqlite_path
from tests.e2e.gateway_process import ROOT
from tests.serving import until


@pytest.mark.gen_test
async def test_a_lost_lock_ends_nothing_and_is_said(serving, tmp_path):
    url, gateway = serving.settings.database_url, serving.gateway
    await gateway.database_lock.release()
    gateway.database_lock = DatabaseLock(url, tmp_path, look_seconds=0.02)
    await gateway.database_lock.acquire()
    theirs = sqlite_path(url).with_suffix(".db.lock")
    theirs.unlink()
    with theirs.open("x") as file:
        file.write('["another", "/srv/gateway"]')
        file.flush()
        fcntl.flock(file, fcntl.LOCK_SH)
        await until(lambda: "another" in gateway.database_lock.problem)
        await told_of_another(serving)
    await until(lambda: gateway.database_lock.problem == "")
    await gateway.database_lock.release()


async def told_of_another(serving):
    answered = await serving.get("/health/ready")
    assert (answered.status, answered.json["status"]) == (200, "ok")
    told = {"database_lock": "another gateway uses the database, too"}
    assert answered.json["warnings"] == told
    assert (await serving.ask()).status == 200
    async with aiohttp.ClientSession() as session:
        (finding,) = await warned(Visit(session, serving.base_url, None))
    assert finding.level is Level.WARN
    assert "another gateway" in finding.message


@pytest.mark.gen_test
async def test_a_gateway_says_nothing_of_a_lock_it_holds(serving):
    assert (await serving.get("/health/ready")).json["warnings"] == {}


@pytest.mark.slow
@pytest.mark.gen_test
async def test_a_process_of_another_data_directory_does_not_start(serving, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "run.py"),
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "GATEWAY_PORT": "0",
            "GATEWAY_DATA_DIR": str(elsewhere),
            "GATEWAY_DATABASE_URL": serving.settings.database_url,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert f"{serving.settings.data_dir} on " in out.decode()
    assert f"{elsewhere} on " in out.decode()
    assert b"Traceback" not in out
    assert b"Unclosed" not in out
