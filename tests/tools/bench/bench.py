"""The processes of one run: upstream, load generator and targets."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.tools.bench import targets
from tests.tools.bench.results import Results
from tests.tools.bench.targets import Starter, Target


class JobFailed(RuntimeError):
    """A target answered something else than what it was asked for."""


class Bench:
    """Starts everything on entry, stops everything on exit.

    `starters` are the servers under test; `direct` always comes first.
    """

    def __init__(self, starters: Mapping[str, Starter], rounds: int) -> None:
        self.results = Results()
        self.rounds = rounds
        self._starters = dict(starters)
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self._running: dict[str, Target] = {}

    def __enter__(self) -> Self:
        self._upstream = targets.upstream(Path(self._folder.name))
        self._load = subprocess.Popen(
            [sys.executable, "-m", "tests.tools.bench.load"],
            cwd=targets.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            for name in self._starters:
                self.fresh(name)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._load.kill()
        self._load.communicate()
        for target in [*self._running.values(), self._upstream]:
            target.stop()
        self._folder.cleanup()

    def fresh(self, name: str) -> None:
        """(Re)start a target: memory is only comparable from the start."""
        if name in self._running:
            self._running.pop(name).stop()
        folder = Path(self._folder.name) / name.replace(" ", "-")
        folder.mkdir(exist_ok=True)
        self._running[name] = self._starters[name](self._upstream.port, folder)

    def names(self, *, direct: bool = True, sockets: bool = False) -> Sequence[str]:
        """Targets to measure; with `sockets` only those that speak them."""
        chosen = [
            name
            for name, target in self._running.items()
            if target.has_sockets or not sockets
        ]
        return ["direct", *chosen] if direct else chosen

    def memory(self, name: str) -> int:
        """Resident bytes of a target now."""
        return targets.machine.resident_bytes(self._running[name].pids())

    def run(self, name: str, kind: str, **fields: Any) -> dict[str, Any]:
        """One job of the load generator; `load.Job` names the fields.

        The direct row watches the upstream itself. JobFailed says what came back.
        """
        target = self._running.get(name) or Target(name, self._upstream.port)
        upstream = self._upstream.pids()
        job = {
            "kind": kind,
            "port": target.port,
            "headers": target.headers,
            "path": target.path,
            "watched": target.pids() or upstream,
            **fields,
        }
        assert self._load.stdin is not None
        assert self._load.stdout is not None
        self._load.stdin.write(json.dumps(job) + "\n")
        self._load.stdin.flush()
        line = self._load.stdout.readline()
        if not line:
            raise JobFailed(f"{name}: the load generator died of {kind} {fields}")
        result: dict[str, Any] = json.loads(line)
        if target.beside is not None and target.beside.poll() is not None:
            raise JobFailed(f"{name}: those who watch it have left")
        if result.get("failed"):
            raise JobFailed(
                f"{name}: {result['failed']} of {kind} failed: {result['failures']}"
            )
        return result
