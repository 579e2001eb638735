"""When a sample's outcome is enough, and what is left out of it."""

from dataclasses import replace

import pytest

from tests.tools.mutants.operators import mutants_of, sample
from tests.tools.mutants.report import Equivalents, Report, described
from tests.tools.mutants.runs import Verdict

(MUTANT,) = mutants_of("gateway/turns/x.py", "def f(a):\n    del a\n")


def verdicts(killed, survived, package="turns"):
    mutant = replace(MUTANT, path=f"gateway/{package}/x.py")
    return [
        *[Verdict(mutant, True, 3)] * killed,
        *[Verdict(mutant, False, 3)] * survived,
    ]


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "equivalent.toml"
    path.write_text(
        '[[mutant]]\npath = "gateway/turns/y.py"\ncode = "del a"\n'
        'change = "del a → pass"\nreason = "nothing looks at it"\n'
    )
    return Report(Equivalents(path))


@pytest.mark.parametrize(
    ("turns", "keys", "is_enough"),
    [
        ((20, 0), (20, 0), True),
        ((19, 1), (19, 1), True),
        ((18, 2), (20, 1), False),  # 93 % in all
        ((17, 2), (60, 0), False),  # 89 % of a package
        ((3, 1), (60, 0), True),  # few were drawn
    ],
)
def test_a_share_of_all_and_of_each_package_is_asked(report, turns, keys, is_enough):
    for verdict in [*verdicts(*turns), *verdicts(*keys, package="keys")]:
        report.add(verdict)
    assert report.is_enough() is is_enough


def test_an_equivalent_survivor_does_not_count(report):
    for verdict in verdicts(20, 0):
        report.add(verdict)
    report.add(Verdict(replace(MUTANT, path="gateway/turns/y.py"), False, 3))
    assert report.all.total == 20
    assert report.equivalent == 1


def test_an_entry_without_a_mutant_is_told(report):
    listed = replace(MUTANT, path="gateway/turns/y.py")
    equivalents = report._equivalents
    assert equivalents.stale([MUTANT]) == [listed.key]
    assert equivalents.stale([MUTANT, listed]) == []


def test_a_survivor_is_shown_with_its_place():
    shown = described(Verdict(MUTANT, False, 0))
    assert shown == "gateway/turns/x.py:2  del a → pass  (no test runs it)"


def test_a_sample_is_the_same_for_a_seed_and_another_for_another():
    source = "def f(a):\n" + "    del a\n" * 100
    mutants = mutants_of("x.py", source)
    assert sample(mutants, 10, 1) == sample(mutants, 10, 1) != sample(mutants, 10, 2)
    assert sample(mutants, 1000, 1) == mutants
