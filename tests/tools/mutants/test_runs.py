"""A mutant is judged by the tests that run its line, in a copy of the project."""

import subprocess

import pytest

from tests.tools.mutants.coverage_map import CoverageMap, fingerprint
from tests.tools.mutants.operators import mutants_of
from tests.tools.mutants.runs import Tree, judge

SOURCE = """
def larger(a, b):
    if a > b:
        return a
    return b
"""
TESTS = """
import pytest
from schemas.pick import larger

def test_first():
    assert larger(2, 1) == 2

@pytest.mark.slow
def test_second():
    assert larger(1, 2) == 2
"""
FIRST = "tests/test_pick.py::test_first"


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    for name, text in {
        "schemas/pick.py": SOURCE,
        "tests/test_pick.py": TESTS,
        "ignored.log": "",
        ".gitignore": "*.log\n",
        "pytest.ini": "[pytest]\npythonpath = .\nmarkers = slow\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "-q", root], check=True)
    return Tree(root, tmp_path / "copy")


def verdicts(tree, seconds, lines):
    covering = CoverageMap(seconds, {"schemas/pick.py": lines})
    mutants = mutants_of("schemas/pick.py", SOURCE)
    known = tree.test_ids()
    return {one.change: judge(one, tree, covering, known) for one in mutants}


@pytest.mark.slow
def test_the_fast_tests_of_a_line_decide(tree):
    found = verdicts(tree, {FIRST: 0.1}, {3: [FIRST], 4: [FIRST]})
    assert {change: one.is_killed for change, one in found.items()} == {
        "a > b → a >= b": False,
        "a > b → a <= b": True,
        "return a → return None": True,
        "return b → return None": False,  # a slow test alone would notice
    }
    assert found["return b → return None"].tests == 0
    assert (tree.folder / "schemas/pick.py").read_text() == SOURCE


def test_only_the_project_s_own_files_are_copied(tree):
    assert (tree.folder / "schemas/pick.py").exists()
    assert not (tree.folder / "ignored.log").exists()


def test_tests_of_a_line_of_the_module_are_all_that_use_it():
    covering = CoverageMap({"a": 1.0, "b": 1.0}, {"x.py": {1: [], 7: ["a", "gone"]}})
    assert covering.tests_of("x.py", 1, is_in_function=False) == ["a"]
    assert covering.tests_of("x.py", 7, is_in_function=True) == ["a"]
    assert covering.tests_of("x.py", 1, is_in_function=True) == []


def test_a_fingerprint_changes_with_the_files(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("a")
    before = fingerprint([path])
    assert fingerprint([path]) == before
    path.write_text("b")
    assert fingerprint([path]) != before
