"""The demo as its first user has it: what it prints can be run as it stands."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.package

ROOT = Path(__file__).resolve().parents[2]
# What an owner has set for a gateway of his own.
OWN = {
    "GATEWAY_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "GATEWAY_ENCRYPTION_KEY": "no key",
    "GATEWAY_EGRESS_PROXY": "http://127.0.0.1:1",
}


@contextmanager
def demo(*options):
    """A running demo: all it printed, and what follows."""
    process = subprocess.Popen(
        [sys.executable, "-u", "run.py", "demo", "--port", "0", *options],
        cwd=ROOT,
        env=os.environ | OWN,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C ends it"):
                break
        yield "".join(lines), process
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def run(command):
    done = subprocess.run(
        command,
        shell=True,
        cwd=ROOT,
        env=os.environ | OWN,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def printed(shown):
    """The commands, as they stand, by their first word."""
    found = re.findall(r"^  (GATEWAY_DATA_DIR=.* ([a-z]+)(?: .*)?)$", shown, re.M)
    return {words.split(" run.py ")[1].split()[0]: words for words, _ in found}


def test_its_commands_work_on_its_own_data_whatever_the_owner_has_set():
    with demo() as (shown, _):
        commands = printed(shown)
        assert commands.keys() == {"logs", "explain", "status", "dashboard"}
        request_id = commands["explain"].split()[-1]
        assert request_id in run(commands["logs"])
        explained = run(commands["explain"])
        assert request_id in explained
        assert "answered" in explained
        assert "ada@demo.example" in run(commands["status"])
        assert "/dashboard/link#" in run(commands["dashboard"])
        folder = Path(re.search(r"GATEWAY_DATA_DIR=(\S+)", shown)[1])
        assert folder.is_dir()
    assert not folder.exists()


def test_a_port_that_is_taken_is_told_with_the_option():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "run.py", "demo", "--port", port],
            cwd=ROOT,
            # Settings that could not even be read are none of its business.
            env=os.environ | {"GATEWAY_PORT": "http", "GATEWAY_DRAIN_SECONDS": "-1"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert "give --port" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_life_fills_every_report():
    with demo("--life") as (shown, _):
        logs = printed(shown)["logs"]

        def ask(words):
            lines = run(logs.removesuffix("logs") + words + " --json").splitlines()
            return [json.loads(line) for line in lines]

        days = ask("usage --by day --since 30d")
        assert len(days) >= 14
        assert sum(day["errors"] for day in days) > 5
        assert sum(day["interrupted"] for day in days) > 2
        for group, least in (("key", 4), ("model", 3), ("account", 2)):
            assert len(ask(f"usage --by {group} --since 30d")) >= least
        surfaces = {row["surface"] for row in ask("logs --limit 1000")}
        assert surfaces >= {"codex", "v1", "chat"}
        limits = {key["name"]: key["limits"] for key in ask("keys list")}
        assert limits["ci"] == ["requests 40/1d"]
        assert "you" in limits
        key = re.search(r"sk-cgw-[\w-]+", shown)[0]
        url = re.search(r"http://127.0.0.1:\d+", shown)[0]
        told = run(f"curl -s -H 'x-api-key: {key}' {url}/v1/usage")
        assert told.startswith("{")


def test_its_help_names_every_directive():
    from gateway.demo.scenarios import DIRECTIVES

    told = " ".join(run(f"{sys.executable} run.py demo --help").split())
    document = (ROOT / "docs" / "demo.md").read_text()
    for directive in DIRECTIVES.values():
        assert f"demo:{directive.example}" in told
        assert f"| `demo:{directive.example}` | {directive.says} |" in document
