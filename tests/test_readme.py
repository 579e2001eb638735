"""What the documents say is what the project does."""

import ast
import dataclasses
import re
import tomllib
from pathlib import Path

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gateway.cli.codex_config import Provider
from gateway.protocol.failure_kind import CODES
from gateway.settings import Settings
from handlers.demo import CONFIG
from run import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
CI = (ROOT / ".ci" / "run").read_text()
CODE = re.compile(r"[a-z][a-z0-9_]{3,}")


def read(name):
    return (ROOT / name).read_text()


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands():
    """What follows `run.py` anywhere in the documents, in code."""
    found = set()
    for path in DOCUMENTS:
        text = path.read_text()
        code = [*blocks(text, "[a-z]*"), *re.findall(r"`([^`\n]+)`", text)]
        for piece in code:
            found |= set(
                re.findall(r"\brun\.py +([^#\n&)]*)", piece.replace("\\\n", ""))
            )
    return sorted(found - {"COMMAND"})


def test_the_two_commands_are_what_lands_a_change():
    """.ci/run takes them from the README with these patterns, and runs them."""
    patterns = re.findall(r"grep -m1 '(\^python3[^']+)' README\.md", CI)
    assert len(patterns) == 2
    for pattern, end in zip(patterns, ("run.py demo", "pytest -q"), strict=True):
        (line,) = re.findall(pattern, README, re.MULTILINE)
        assert line.endswith(end)
        assert line + "\n" in blocks(README, "sh")


def test_the_config_lines_are_those_of_the_demo():
    lines = CONFIG.format(port=2455)
    assert lines in blocks(README, "toml")
    assert lines in blocks(read("docs/clients.md"), "toml")


def test_the_config_lines_are_those_of_codex_config():
    provider = Provider("http://127.0.0.1:2455")
    assert provider.lines() in CONFIG.format(port=2455)


@pytest.mark.parametrize("line", commands())
def test_commands_in_the_documents_exist(line):
    """Each of `a|b|c` is one; words in capitals and the like stand for values."""
    words = line.split()
    for alternative in words[0].split("|"):
        command = found(main, alternative)
        if isinstance(command, click.Group) and len(words) > 1:
            for name in words[1].split("|"):
                takes_options(found(command, name), words[2:])
        else:
            takes_options(command, words[1:])


def found(group, name):
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return command


def takes_options(command, words):
    known = {option for one in command.params for option in one.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_every_setting_is_described_with_its_default(tmp_path):
    documented = read("docs/settings.md")
    defaults = Settings.from_env(dotenv=str(tmp_path / "none"))
    names = set(re.findall(r"`GATEWAY_([A-Z0-9_]+)` \|", documented))
    fields = {field.name for field in dataclasses.fields(Settings)}
    of_commands = {"API_KEY"}
    assert names == {name.upper() for name in fields} | of_commands
    for name in fields:
        value = getattr(defaults, name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert f"| `GATEWAY_{name.upper()}` | `{value:.0f}`" in documented


def test_every_error_code_is_explained():
    explained = read("docs/errors.md")
    missing = {code for code in codes() if f"`{code}`" not in explained}
    assert not missing


def test_no_error_is_explained_that_does_not_exist():
    source = "".join(path.read_text() for path in sources())
    tables = re.findall(r"^\| (`[^|]*) \|", read("docs/errors.md"), re.MULTILINE)
    explained = {code for row in tables for code in re.findall(r"`([a-z_]+)`", row)}
    assert len(explained) > 40  # the tables were read
    # Timeouts are named after their phase.
    made = {f"upstream_{phase}_timeout" for phase in ("connect", "headers")}
    assert {code for code in explained - made if f'"{code}"' not in source} == set()


def sources():
    for package in ("gateway", "handlers"):
        for path in (ROOT / package).rglob("*.py"):
            if "demo" not in path.parts:
                yield path


def codes():
    """Codes assigned to `code`, passed as `code=`, or in the table of failures."""
    found = set(CODES)
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "code":
                found |= constants(node.value)
            elif isinstance(node, ast.Assign):
                found |= assigned(node)
    return found


def assigned(node):
    found = set()
    for target in node.targets:
        if isinstance(target, ast.Name) and target.id == "code":
            found |= constants(node.value)
        elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            for name, value in zip(target.elts, node.value.elts, strict=True):
                if isinstance(name, ast.Name) and name.id == "code":
                    found |= constants(value)
    return found


def constants(node):
    value = getattr(node, "value", None)
    is_code = isinstance(value, str) and CODE.fullmatch(value)
    return {value} if is_code else set()


COMPILED = [
    ("pyproject.toml", "requirements.txt"),
    ("tests/requirements.in", "tests/requirements.txt"),
]


def requirements(name):
    if name == "pyproject.toml":
        project = tomllib.loads(read(name))["project"]
        extra = project["optional-dependencies"]["postgresql"]
        yield from map(Requirement, [*project["dependencies"], *extra])
        return
    for line in read(name).splitlines():
        text = line.partition(" #")[0].rstrip(" \\")
        if text and text[0].isalpha():
            yield Requirement(text)


def pins(name):
    return {canonicalize_name(one.name): one.specifier for one in requirements(name)}


@pytest.mark.parametrize(("wanted", "compiled"), COMPILED)
def test_every_direct_requirement_is_pinned_within_its_bounds(wanted, compiled):
    pinned = pins(compiled)
    direct = list(requirements(wanted))
    assert len(direct) > 5
    for one in direct:
        (pin,) = pinned[canonicalize_name(one.name)]
        assert pin.operator == "=="
        assert pin.version in one.specifier


@pytest.mark.parametrize("name", [compiled for _, compiled in COMPILED])
def test_every_pin_has_hashes_and_no_host_is_named(name):
    text = read(name)
    entries = re.split(r"\n(?=[a-z])", text.partition("\naio")[2])
    assert len(entries) > 20
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert not re.search(r"^--?[a-z]", text, re.MULTILINE)


def test_the_tests_run_on_the_versions_that_running_installs():
    assert pins("requirements.txt").items() <= pins("tests/requirements.txt").items()


def test_running_installs_nothing_that_only_tests_need():
    only_tests = {canonicalize_name(one.name) for one in requirements(COMPILED[1][0])}
    assert not only_tests & pins("requirements.txt").keys()
