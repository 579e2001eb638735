"""The demo as its first user has it: what it prints can be run as it stands."""

import os
import re
import signal
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
    "GATEWAY_PORT": "1",
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
        assert commands.keys() == {"logs", "explain", "accounts"}
        (row,) = run(commands["logs"]).splitlines()
        assert "v1/http" in row
        explained = run(commands["explain"])
        assert explained.startswith(f"request:    {row.split()[2]}")
        assert "answered" in explained
        assert "ada@demo.example" in run(commands["accounts"])
        folder = Path(re.search(r"GATEWAY_DATA_DIR=(\S+)", shown)[1])
        assert folder.is_dir()
    assert not folder.exists()


def test_a_life_fills_every_report():
    with demo("--life") as (shown, _):
        logs = printed(shown)["logs"]

        def ask(words):
            return run(logs.removesuffix("logs") + words).splitlines()

        days = [line.split() for line in ask("usage --by day --since 30d")[1:]]
        assert len(days) >= 14
        assert sum(int(day[2]) for day in days) > 5  # errors
        assert sum(int(day[3]) for day in days) > 2  # interrupted
        for group, least in (("key", 4), ("model", 3), ("account", 2)):
            assert len(ask(f"usage --by {group} --since 30d")) > least
        surfaces = {row.split()[3] for row in ask("logs --limit 1000")}
        assert surfaces >= {"codex/http", "v1/http", "chat/http"}
        shown_keys = "\n".join(ask("keys list"))
        assert re.search(r"^\d+ +ci .*requests 40/1d$", shown_keys, re.M)
        key = re.search(r"sk-cgw-[\w-]+", shown)[0]
        url = re.search(r"http://127.0.0.1:\d+", shown)[0]
        assert "you" in shown_keys
        told = run(f"curl -s -H 'x-api-key: {key}' {url}/v1/usage")
        assert told.startswith("{")


def test_its_help_names_every_directive():
    from gateway.demo.scenarios import DIRECTIVES

    told = " ".join(run(f"{sys.executable} run.py demo --help").split())
    document = (ROOT / "docs" / "demo.md").read_text()
    for directive in DIRECTIVES.values():
        assert f"demo:{directive.example}" in told
        assert f"| `demo:{directive.example}` | {directive.says} |" in document
