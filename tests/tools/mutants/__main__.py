"""Mutants of a seeded sample: `make mutants`, or `python -m tests.tools.mutants`.

Prints the survivors as they come and the share killed per package; exits with 1 when
fewer than 95 % in all, or 90 % of a package, were killed. Survivors that no test can
notice stand in equivalent.toml.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.tools.mutants import measuring
from tests.tools.mutants.coverage_map import fingerprint
from tests.tools.mutants.operators import mutants_of, sample
from tests.tools.mutants.report import Equivalents, Report, described
from tests.tools.mutants.runs import Tree, judge_all, tracked

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".mutants"
PACKAGES = ("gateway", "handlers", "schemas")
# Shown or run once, and tested from outside.
LEFT_OUT = {"demo", "doctor", "deploy", "migrations"}


def main() -> int:
    options = parsed()
    sources = product_files(options.only)
    everything = [one for path in sources for one in mutants_of(*path)]
    chosen = sample(everything, options.mutants, options.seed)
    print(f"{len(chosen)} of {len(everything)} mutants, seed {options.seed}")
    equivalents = Equivalents(Path(__file__).with_name("equivalent.toml"))
    report = Report(equivalents)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        trees = [Tree(ROOT, Path(name, str(one))) for one in range(options.workers)]
        key = fingerprint(ROOT.joinpath(one) for one in python_files())
        covering = measuring.load(
            trees[0].folder, CACHE, None if options.keep_map else key
        )
        known = [tree.test_ids() for tree in trees].pop()  # compiles each tree's tests
        print(f"{len(known)} fast tests, {time.monotonic() - began:.0f} s", flush=True)
        for verdict in judge_all(chosen, trees, covering, known):
            report.add(verdict)
            if not verdict.is_killed:
                print(described(verdict), flush=True)
    print("\n".join(report.lines()))
    print(f"{time.monotonic() - began:.0f} s")
    if not options.only:
        for path, code, change in equivalents.stale(everything):
            print(f"equivalent.toml names what is not there: {path}: {code}: {change}")
    return 0 if report.is_enough() else 1


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.mutants")
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--only", default="", help="a part of the paths, such as gateway/turns/"
    )
    parser.add_argument(
        "--keep-map", action="store_true", help="use the last coverage, however old"
    )
    return parser.parse_args()


def python_files() -> list[Path]:
    return [one for one in tracked(ROOT) if one.suffix == ".py"]


def product_files(only: str) -> Iterator[tuple[str, str]]:
    for path in sorted(python_files()):
        parts = {*path.parts, path.stem}
        is_product = path.parts[0] in PACKAGES and not parts & LEFT_OUT
        if is_product and only in path.as_posix():
            yield path.as_posix(), (ROOT / path).read_text()


if __name__ == "__main__":
    sys.exit(main())
