"""A PostgreSQL server of the tests' own; skipped without its programs, not in CI."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

HAS_DRIVER = importlib.util.find_spec("psycopg") is not None


def need(condition, what):
    if condition:
        return
    if os.environ.get("CI"):
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")


def server_directory():
    """Where the server's programs are; Debian keeps them off the path."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: int(path.parts[-3]),
    )
    return versions[-1].parent if versions else None


class Server:
    """A PostgreSQL server on a Unix socket in a directory of its own."""

    def __init__(self, programs):
        self._programs = programs
        self.home = Path(tempfile.mkdtemp(prefix="pg-"))
        # The server refuses to run as root.
        self._as = {}
        if os.geteuid() == 0:
            self._as = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(self.home, "postgres", "postgres")
        self._run("initdb", "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8")
        self.url = f"postgresql://postgres@/postgres?host={self.home}"

    def _run(self, program, *arguments):
        subprocess.run(
            [self._programs / program, "-D", self.home / "data", *arguments],
            check=True,
            cwd=self.home,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            **self._as,
        )

    def start(self):
        options = f"-c listen_addresses='' -c fsync=off -k {self.home}"
        self._run("pg_ctl", "start", "-w", "-l", self.home / "log", "-o", options)

    def stop(self, mode="immediate"):
        self._run("pg_ctl", "stop", "-w", "-m", mode)
