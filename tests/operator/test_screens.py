"""Screens in a real terminal, and the log of a long database, in processes."""

import codecs
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

import pytest

from gateway.store.models import now_ms
from tests.tools.bench.generate_log import generate

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.operator

ROWS = 10_000
COMMANDS = ["status", "logs --limit 20", "usage --by key --by day", "keys list"]


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    """Of a data directory with a long log."""
    folder = tmp_path_factory.mktemp("data")
    generate(folder / "gateway.db", ROWS, 3, now_ms())
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    env = {**kept, "GATEWAY_DATA_DIR": str(folder), "TERM": "xterm-256color"}
    made = ("run.py", "keys", "create", "bob", "--limit", "tokens 2M/7d", "--rpm", "9")
    subprocess.run([sys.executable, *made], cwd=ROOT, env=env, check=True)
    return env


class Terminal:
    """A command in a terminal of so many characters."""

    def __init__(self, words, env, width):
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "run.py", *words.split()],
            **{"cwd": ROOT, "env": env, "start_new_session": True},
            **dict.fromkeys(("stdin", "stdout", "stderr"), slave),
        )
        os.close(slave)
        self.text = ""
        self._decode = codecs.getincrementaldecoder("utf-8")().decode

    def read(self, until="\0", seconds=20):
        """All that is printed, or as far as it says `until`."""
        deadline = time.monotonic() + seconds
        while until not in self.text and time.monotonic() < deadline:
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    got = os.read(self._master, 65536)
                except OSError:  # the command has ended
                    break
                self.text += self._decode(got)
        return self.text.replace("\r\n", "\n")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("words", COMMANDS)
def test_a_screen_fits_its_terminal(env, words, width):
    plain = Terminal(words, {**env, "NO_COLOR": "1"}, width)
    lines = plain.read().splitlines()
    assert plain.process.wait() == 0
    assert len(lines) > 3
    assert "\x1b" not in plain.text
    # A folder's name is as long as it is.
    assert [one for one in lines if len(one) > width and "pytest" not in one] == []


def test_colour_is_for_terminals(env):
    shown = Terminal("logs", env, 120)
    assert "\x1b[32m" in shown.read()
    assert shown.process.wait() == 0
    done = subprocess.run(
        [sys.executable, "run.py", "logs"], cwd=ROOT, env=env, capture_output=True
    )
    assert b"\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 52


def test_a_watched_screen_is_drawn_anew_and_left_clean(env):
    shown = Terminal("status --watch", env, 100)
    shown.read("last hour")
    shown.text = ""
    shown.read("last hour")  # again, by itself
    os.killpg(shown.process.pid, signal.SIGINT)
    rest = shown.read()
    assert shown.process.wait(10) == 0
    assert "Traceback" not in rest
    assert "\x1b[?1049l" in rest  # the terminal is as it was
    assert "\x1b[?25h" in rest


def test_a_long_log_takes_no_more_memory_than_a_short_one(env):
    def peak(*words):
        """Mebibytes, of one process."""
        program = (
            "import resource, subprocess, sys; "
            "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
        )
        command = [sys.executable, "-c", program, sys.executable, "run.py", *words]
        return int(subprocess.check_output(command, cwd=ROOT, env=env))

    short = peak("logs", "--limit", "1000")
    assert peak("logs", "--limit", str(ROWS)) < short + 12
    assert peak("export") < short + 12
