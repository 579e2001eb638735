"""A mutant's test runs, each in a copy of the tree: the nearest tests first."""

import compileall
import os
import queue
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

from tests.tools.mutants.coverage_map import FAST, CoverageMap
from tests.tools.mutants.operators import Mutant

# Most mutants die in the first few of the tests that run their line.
FIRST_TESTS = 40
# Seconds: a test that waits for what never comes has hung.
TEST_LIMIT = 40
# A run may take this many times what its tests took while they were measured.
SLOWNESS = 10
_EXIT_NOTHING_RAN = 5


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    is_killed: bool
    tests: int  # that ran its line
    is_hung: bool = False


class Tree:
    """A copy of the project in which one mutant at a time is put."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        for path in tracked(root):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, target, follow_symlinks=False)
        # Found by content: a mutant may have its file's size and second.
        compileall.compile_dir(
            folder,
            quiet=2,
            workers=1,
            invalidation_mode=PycInvalidationMode.CHECKED_HASH,
        )

    def test_ids(self) -> set[str]:
        """All fast tests there are; leaves their compiled files behind, too."""
        listed = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n0", *FAST],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return {line for line in listed.stdout.splitlines() if "::" in line}

    @contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        path = self.folder / mutant.path
        source = path.read_bytes()
        path.write_bytes(mutant.applied(source))
        try:
            yield
        finally:
            path.write_bytes(source)

    def run(self, tests: list[str], limit: float) -> int | None:
        """pytest's exit status, or None when it had to be ended."""
        listed = self.folder / "tests-to-run"
        listed.write_text("\n".join(tests) + "\n")
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest", "-q", "-x", "-n0", *FAST),
                *("-p", "no:cacheprovider", f"--timeout={TEST_LIMIT}"),
                *("--timeout-method=thread", "--hypothesis-seed=1"),
                f"@{listed}",
            ],
            cwd=self.folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The run and what it started, which is a process group of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def tracked(root: Path) -> list[Path]:
    """The project's files as they are now, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(one) for one in listed.stdout.split("\0") if one]
    return [one for one in paths if (root / one).is_file()]


def judge(
    mutant: Mutant, tree: Tree, covering: CoverageMap, known: set[str]
) -> Verdict:
    """Run the tests that may notice the mutant until one does."""
    with_line = [
        one
        for one in covering.tests_of(
            mutant.path, mutant.line, is_in_function=mutant.is_in_function
        )
        if one in known
    ]
    first, later = _in_order(with_line, covering.durations)
    beside = sorted(_mirror(mutant, tree, known) - set(with_line))
    with tree.changed(mutant):
        for tests in (first, [*later, *beside]):
            if not tests:
                continue
            took = sum(covering.durations.get(one, 1.0) for one in tests)
            status = tree.run(tests, took * SLOWNESS + 2 * TEST_LIMIT)
            if status not in (0, _EXIT_NOTHING_RAN):
                return Verdict(mutant, True, len(with_line), is_hung=status is None)
    return Verdict(mutant, False, len(with_line))


def _in_order(
    tests: list[str], seconds: dict[str, float]
) -> tuple[list[str], list[str]]:
    """The quickest of each file first, and the rest."""
    by_file: defaultdict[str, list[str]] = defaultdict(list)
    for test in sorted(tests, key=lambda one: seconds[one]):
        by_file[test.partition("::")[0]].append(test)
    ranked = sorted(
        (rank, seconds[test], test)
        for of_file in by_file.values()
        for rank, test in enumerate(of_file)
    )
    first = {test for _, _, test in ranked[:FIRST_TESTS]}
    return (
        [test for of_file in by_file.values() for test in of_file if test in first],
        [test for of_file in by_file.values() for test in of_file if test not in first],
    )


def _mirror(mutant: Mutant, tree: Tree, known: set[str]) -> set[str]:
    """The tests of the mutant's package, wherever their lines are."""
    folder = f"tests/{mutant.package}/"
    if not (tree.folder / folder).is_dir():
        return set()
    return {one for one in known if one.startswith(folder)}


def judge_all(
    mutants: Iterable[Mutant], trees: list[Tree], covering: CoverageMap, known: set[str]
) -> Iterator[Verdict]:
    """The verdicts as they come, a worker for each tree."""
    free: queue.SimpleQueue[Tree] = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)

    def one(mutant: Mutant) -> Verdict:
        tree = free.get()
        try:
            return judge(mutant, tree, covering, known)
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as workers:
        for done in as_completed([workers.submit(one, mutant) for mutant in mutants]):
            yield done.result()
