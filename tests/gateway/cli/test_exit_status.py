"""The exit statuses, as `run.py help exit-codes` has them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.guide.exit_status import MEANINGS, ExitStatus

ROOT = Path(__file__).resolve().parents[3]
PROVED = [
    (ExitStatus.DONE, "keys list", {}),
    (ExitStatus.DONE, "--version", {}),
    (ExitStatus.DONE, "keys create --help", {}),
    (ExitStatus.FAILED, "keys show nobody", {}),
    (ExitStatus.FAILED, "keys create a --expires soon", {}),
    (ExitStatus.FAILED, "export --output .", {}),
    (ExitStatus.FAILED, "recorder", {}),
    (ExitStatus.FAILED, "turns", {}),
    (ExitStatus.FAILED, "config check", {"GATEWAY_PORT": "http"}),
    (ExitStatus.FAILED, "keys list", {"GATEWAY_DATABASE_URL": "mysql://x"}),
    (ExitStatus.USAGE, "keys", {}),
    (ExitStatus.USAGE, "keys shwo", {}),
    (ExitStatus.USAGE, "keys list", {"GATEWAY_PORT": "http"}),
]


@pytest.mark.parametrize(("status", "typed", "env"), PROVED, ids=str)
def test_a_command_ends_with_the_status_of_the_table(commands, status, typed, env):
    done = commands(*typed.split(), **env)
    assert done.status == status
    assert done.err or status is ExitStatus.DONE or typed == "config check"


def test_every_status_of_the_table_is_proved():
    assert {status for status, *_ in PROVED} | {ExitStatus.INTERRUPTED} == set(MEANINGS)


@pytest.mark.operator
def test_ctrl_c_ends_what_goes_on_with_a_status_of_its_own(commands):
    commands.good("keys", "list")  # the database is there
    env = os.environ | {n: v for n, v in commands.env.items() if v is not None}
    env["PYTHONUNBUFFERED"] = "1"
    with subprocess.Popen(
        [sys.executable, ROOT / "run.py", "logs", "--follow"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline()  # the titles: it follows
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == ExitStatus.INTERRUPTED
        assert process.stderr.read() == "\n"
