"""The doctor before a good and a badly configured nginx."""

import asyncio
import json
import sqlite3
import sys

import pytest

from tests.e2e.gateway_process import ROOT
from tests.e2e.test_nginx import Nginx

pytestmark = [pytest.mark.operator, pytest.mark.gen_test(timeout=150)]

# What a first attempt looks like, with the buffering some panels force upon it.
BAD = """
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://127.0.0.1:{gateway};
        proxy_ignore_headers X-Accel-Buffering;
        proxy_read_timeout 3s;
    }}
}}
"""


@pytest.fixture
def start_nginx(io_loop, nginx_binary, tmp_path):
    started = []

    async def start(gateway, configuration=None):
        nginx = Nginx(nginx_binary, tmp_path / f"nginx{len(started)}", gateway.port)
        if configuration is not None:
            text = configuration.format(port=nginx.port, gateway=gateway.port)
            (tmp_path / f"nginx{len(started)}" / "gateway.conf").write_text(text)
        started.append(nginx)
        await nginx.start()
        return nginx

    yield start
    for nginx in started:
        io_loop.run_sync(nginx.stop)


async def doctor(gateway, *options):
    """The command's status, and its findings by check."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "run.py", "doctor", "--json", *options),
        cwd=ROOT,
        env=gateway.env,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    found = [json.loads(line) for line in out.splitlines()]
    return process.returncode, {one["check"]: one for one in found}


def fixes(found, level="fail"):
    return {c: one["fix"] for c, one in found.items() if one["level"] == level}


async def behind_nginx(start_gateway):
    """A gateway with a key that knows its nginx, and how many keys it has."""
    gateway = await start_gateway(TRUSTED_PROXIES="127.0.0.1")
    await gateway.create_key("somebody")
    return gateway


async def test_the_shipped_nginx_is_well_and_no_key_stays_behind(
    start_gateway, start_nginx
):
    gateway = await behind_nginx(start_gateway)
    nginx = await start_nginx(gateway)
    status, found = await doctor(gateway, "--url", nginx.url, "--quick")
    assert status == 0, found
    assert fixes(found) == fixes(found, "warn") == {}
    assert {"websocket", "buffering", "body", "models", "disk"} <= found.keys()
    keys = await gateway.run("keys", "list", "--json")
    assert [json.loads(line)["name"] for line in keys.splitlines()] == ["somebody"]
    await gateway.stop()  # and writes what waits
    with sqlite3.connect(gateway.folder / "data" / "gateway.db") as database:
        for table in ("request_log", "refused_request", "usage_hour"):
            rows = database.execute(f"SELECT * FROM {table}").fetchall()
            assert rows == [], table
    database.close()


@pytest.mark.nightly
async def test_the_shipped_nginx_passes_the_long_silence(start_gateway, start_nginx):
    gateway = await behind_nginx(start_gateway)
    nginx = await start_nginx(gateway)
    status, found = await doctor(gateway, "--url", nginx.url)
    assert (status, found["idle"]["level"]) == (0, "ok")


async def test_every_fault_of_a_bad_nginx_is_found_with_its_line(
    start_gateway, start_nginx, upstream
):
    gateway = await behind_nginx(start_gateway)
    nginx = await start_nginx(gateway, BAD)
    status, found = await doctor(gateway, "--url", nginx.url)
    assert status == 1
    lines = fixes(found)
    assert set(lines) == {"websocket", "buffering", "body", "idle"}
    assert "proxy_set_header Upgrade $http_upgrade;" in lines["websocket"]
    assert "proxy_buffering off;" in lines["buffering"]
    assert lines["body"] == "client_max_body_size 256m;"
    assert "proxy_read_timeout 1h;" in lines["idle"]
    assert fixes(found, "warn")["headers"] == "underscores_in_headers on;"
    assert upstream.of("responses") == []


@pytest.mark.parametrize(
    ("broken", "check", "line"),
    [
        ("client_max_body_size 256m;", "body", "client_max_body_size 256m;"),
        ("proxy_set_header Upgrade $codex_upgrade;", "websocket", "Upgrade"),
        ("underscores_in_headers on;", "headers", "underscores_in_headers on;"),
        ("proxy_set_header X-Forwarded-Proto $scheme;", None, ""),  # needed by https
    ],
)
async def test_one_line_that_is_missing_is_the_one_that_is_named(
    start_gateway, start_nginx, tmp_path, broken, check, line
):
    gateway = await behind_nginx(start_gateway)
    nginx = await start_nginx(gateway)
    await nginx.stop()
    file = tmp_path / "nginx0" / "gateway.conf"
    assert broken in file.read_text()
    file.write_text(file.read_text().replace(broken, ""))
    await nginx.start()
    _, found = await doctor(gateway, "--url", nginx.url, "--quick")
    named = fixes(found) | fixes(found, "warn")
    assert set(named) == ({check} if check else set()), found
    assert line in named.get(check, "")


async def test_buffering_that_only_the_gateways_header_stops_is_told(
    start_gateway, start_nginx
):
    """nginx holds back what comes over HTTP/1.0; over 1.1 it passes whole chunks."""
    gateway = await behind_nginx(start_gateway)
    nginx = await start_nginx(gateway, BAD.replace("proxy_ignore_headers", "#"))
    _, found = await doctor(gateway, "--url", nginx.url, "--quick")
    assert found["buffering"]["level"] == "warn"
    assert found["buffering"]["fix"] == "proxy_buffering off;"


async def test_a_port_where_nothing_listens_and_one_where_another_program_does(
    gateway, upstream
):
    status, found = await doctor(gateway, "--url", "http://127.0.0.1:1", "--quick")
    assert (status, list(fixes(found))) == (1, ["reachable"])
    status, found = await doctor(gateway, "--url", upstream.url, "--quick")
    assert (status, list(fixes(found))) == (1, ["reachable"])


async def test_files_that_others_can_read_are_named_with_the_command(gateway):
    await gateway.run("admin", "token")
    (gateway.folder / "data" / "admin.token").chmod(0o644)
    _, found = await doctor(gateway, "--quick")
    path = gateway.folder / "data" / "admin.token"
    assert fixes(found) == {"permissions": f"chmod 600 {path}"}


async def test_a_users_own_configuration_with_the_name_trap_is_found(gateway):
    home = gateway.folder / ".codex"
    home.mkdir()
    (home / "config.toml").write_text(
        f'[model_providers.x]\nname = "OpenAI"\nrequires_openai_auth = true\n'
        f'base_url = "{gateway.url}/backend-api/codex"\n'
    )
    status, found = await doctor(gateway, "--quick")
    base = f'base_url = "{gateway.url}/backend-api/codex/v1"'
    assert (status, fixes(found)) == (1, {"config.toml": base})
