"""Makes the map of the tests and the lines they run, once for a tree."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import coverage
import pytest

from tests.tools.mutants.coverage_map import FAST, CoverageMap

_DURATIONS = "MUTANTS_DURATIONS"  # in the environment: where they are written
_PRODUCT = ("gateway", "handlers", "schemas")


def load(folder: Path, cache: Path, key: str | None) -> CoverageMap:
    """The map of the tree in `folder`; `key` None takes any that is there."""
    durations, data = cache / "durations.json", cache / "coverage"
    kept = json.loads(durations.read_text()) if durations.exists() else {}
    if not kept or (key is not None and kept["key"] != key):
        _measure(folder, cache)
        kept = {"key": key, "seconds": json.loads(durations.read_text())}
        durations.write_text(json.dumps(kept))
    return CoverageMap(kept["seconds"], _read(data))


def _measure(folder: Path, cache: Path) -> None:
    cache.mkdir(exist_ok=True)
    (cache / "coverage").unlink(missing_ok=True)
    config = cache / "coveragerc"
    config.write_text(
        f"[run]\nrelative_files = true\ndata_file = {cache / 'coverage'}\n"
    )
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", *FAST, "-n2"),
            *("-p", "tests.tools.mutants.measuring", "-p", "no:cacheprovider"),
            *(f"--cov={one}" for one in _PRODUCT),
            *("--cov-context=test", "--cov-report=", f"--cov-config={config}"),
        ],
        cwd=folder,
        env={**os.environ, _DURATIONS: str(cache / "durations.json")},
        check=False,
    )
    # Without a test that passes there is nothing that could notice a change.
    if finished.returncode not in (0, 1):
        raise SystemExit("the tests did not run")


def _read(data: Path) -> dict[str, dict[int, list[str]]]:
    measured = coverage.CoverageData(basename=str(data))
    measured.read()
    found: dict[str, dict[int, list[str]]] = {}
    for name in measured.measured_files():
        tests: defaultdict[int, set[str]] = defaultdict(set)
        for line, contexts in measured.contexts_by_lineno(name).items():
            tests[line] = {one.rpartition("|")[0] for one in contexts if one}
        found[name] = {line: sorted(one) for line, one in tests.items()}
    return found


# As a plugin of pytest, in the run that measures.

_seconds: defaultdict[str, float] = defaultdict(float)
_failed: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid] += report.duration
    if report.outcome != "passed":
        _failed.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    target = os.environ.get(_DURATIONS)
    if target and not hasattr(session.config, "workerinput"):
        passed = {key: value for key, value in _seconds.items() if key not in _failed}
        Path(target).write_text(json.dumps(passed))
