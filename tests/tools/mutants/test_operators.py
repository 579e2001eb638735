"""What is changed in a source file, and what is left alone."""

from pathlib import Path

import pytest

from tests.tools.mutants.operators import mutants_of

ROOT = Path(__file__).resolve().parents[3]
FUNCTION = "def f(a, b):\n    {}\n"


def changed(line):
    """All that becomes of a line inside a function."""
    source = FUNCTION.format(line)
    return [
        one.applied(source.encode()).decode().splitlines()[1].strip()
        for one in mutants_of("gateway/x.py", source)
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a = b < 3", ["(b <= 3)", "(b >= 3)", "b < (2)", "b < (4)"]),
        ("a = b == b", ["(b != b)"]),
        ("a = b is None", ["(b is not None)"]),
        ("a = b not in a", ["(b in a)"]),
        ("a = a and b", ["(a or b)", "(b)", "(a)"]),
        ("a = not b", ["(b)"]),
        ("a = True", ["(False)"]),
        ("a = 0", ["(1)"]),
        ("a = 2.5", ["(1.5)", "(3.5)"]),
        ("a = b - a", ["(b + a)"]),
        ("a = b / a", ["(b * a)"]),
        ("a = b if a else 0", ["b if (not a) else 0", "b if a else (1)"]),
        ("a = [b for b in a if b]", ["[b for b in a if (not b)]"]),
    ],
)
def test_an_expression_is_changed(line, expected):
    assert sorted(changed(line)) == sorted(f"a = {one}" for one in expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a.close()", ["pass"]),
        ("raise a", ["pass"]),
        ("del a", ["pass"]),
        ("a.b = a", ["pass"]),
        ("a[b] = a", ["pass"]),
        ("a += b", ["pass", "a -= b"]),
        ("return a", ["return None"]),
        ("if a: return", ["if (not a): return"]),
        ("if a == b: return", ["if (a != b): return"]),
        ("while a: break", ["while a: continue"]),
        ("while a: continue", ["while a: break"]),
    ],
)
def test_a_statement_is_changed(line, expected):
    assert sorted(changed(line)) == sorted(expected)


@pytest.mark.parametrize(
    "line",
    [
        "a = b",
        "a = 4096",
        "return None",
        "return False",
        "await a.close()",
        "logger.info(a, 3)",
        "assert a > 3",
        "a = f'{b + 1}'",
        "a = 'x' + b",
        "a = b'%d' % b",
        "b: a[3] = a",
        "a = zip(a, b, strict=True)",
        "import a",
    ],
)
def test_a_line_is_left_alone(line):
    wrapped = f"async def f(a, b):\n    {line}\n"
    trivial = {"return None → pass", "return False → return None", "False → True"}
    found = {one.change for one in mutants_of("gateway/x.py", wrapped)}
    assert found <= trivial


def test_tuned_values_of_a_module_are_left_alone():
    source = (
        "LIMIT = 1\nHIGH: int = 2 * 1\nclass A:\n    a: int = 30\n    b: bool = True\n"
    )
    assert [one.change for one in mutants_of("x.py", source)] == ["True → False"]


def test_an_exact_hit_is_not_asked_of_clocks():
    assert changed("a = now < b.retry_at") == ["a = (now >= b.retry_at)"]


def test_a_change_beside_other_letters_than_ascii_hits_its_place():
    source = 'a = "größer" if b > c else "→"\n'
    texts = [
        one.applied(source.encode()).decode() for one in mutants_of("x.py", source)
    ]
    assert 'a = "größer" if (b >= c) else "→"\n' in texts


def test_a_mutant_is_known_by_what_it_is_not_by_its_line():
    one = mutants_of("gateway/x.py", "def f(a):\n    return a\n")
    other = mutants_of("gateway/x.py", "\n\ndef f(a):\n    return a\n")
    assert [mutant.key for mutant in one] == [mutant.key for mutant in other]
    assert one != other


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("gateway/app.py", "gateway"),
        ("gateway/turns/http.py", "gateway/turns"),
        ("gateway/monitoring/recorder/ring.py", "gateway/monitoring"),
        ("handlers/api/chat.py", "handlers"),
        ("schemas/items.py", "schemas"),
    ],
)
def test_a_mutant_belongs_to_a_package(path, package):
    assert mutants_of(path, "del a\n")[0].package == package


def test_every_change_of_a_real_file_is_a_program_of_its_own():
    path = ROOT / "schemas" / "items.py"
    source = path.read_bytes()
    mutants = mutants_of("schemas/items.py", source.decode())
    texts = {one.applied(source) for one in mutants}
    assert len(texts) == len(mutants) > 50
    assert source not in texts
    for text in texts:
        compile(text, "mutant", "exec")
