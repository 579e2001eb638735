"""Help: a summary, groups and examples for every command, plain where it is piped."""

import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gateway.cli.guide.examples import EXAMPLES
from gateway.settings import PROGRAM
from run import main
from tests.gateway.cli.commands import command_tree, read_all

ROOT = Path(__file__).resolve().parents[3]
TREE = command_tree(main)
each_command = pytest.mark.parametrize("path", TREE, ids=lambda path: path or "run.py")


def context(path):
    """A command's context, as it is typed."""
    made = click.Context(main, info_name=PROGRAM)
    for name in path.split():
        command = made.command.get_command(made, name)
        made = click.Context(command, info_name=name, parent=made)
    return made


@each_command
def test_a_command_has_a_summary_of_one_line_and_examples(path):
    help_text = TREE[path].get_help(context(path))
    assert "...\n" not in help_text.partition("\nOptions:\n")[2]  # a summary, cut
    examples = help_text.partition("\nExamples:\n")[2].splitlines()
    assert examples
    assert all(line.startswith(f"  {PROGRAM}") for line in examples)
    assert "\033" not in help_text


@each_command
def test_every_option_says_what_it_is_for(path):
    options = [one for one in TREE[path].params if isinstance(one, click.Option)]
    assert [one.opts for one in options if not one.help] == []


def test_the_commands_are_listed_by_what_they_are_for():
    text = TREE[""].get_help(context(""))
    listed = text.partition("\nRun it:\n")[2].partition("\nExamples:\n")[0]
    names = re.findall(r"^  (\S+)  ", listed, re.MULTILINE)
    assert sorted(names) == TREE[""].list_commands(context(""))
    assert "\nOthers:\n" not in text


def test_no_example_is_of_a_command_that_does_not_exist():
    assert EXAMPLES.keys() == TREE.keys()


@pytest.mark.parametrize("line", [one for lines in EXAMPLES.values() for one in lines])
def test_an_example_can_be_typed(line):
    """Its command exists and takes the options and values."""
    typed = line.partition(" > ")[0].replace("…", "x")  # the rest of a key
    words = shlex.split(typed, comments=True)
    made = main.make_context(PROGRAM, words)
    while (rest := [*made._protected_args, *made.args]) and isinstance(
        made.command, click.Group
    ):
        name, command, left = made.command.resolve_command(made, rest)
        made = command.make_context(name, left, parent=made)


def test_many_options_are_grouped_by_what_they_are_for(commands):
    text = commands.good("keys", "create", "--help").out
    for title in ("Options:", "What it may use:", "How much:", "Output:", "Examples:"):
        assert f"\n{title}\n" in text
    assert "\nOutput:\n" not in commands.good("keys", "list", "--help").out


@pytest.mark.operator
@pytest.mark.parametrize(
    ("env", "is_coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_a_terminal_has_panels_and_colours_unless_it_is_told_otherwise(
    env, is_coloured
):
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, ROOT / "run.py", "keys", "create", "--help"],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "90", **env},
    ):
        os.close(theirs)
        text = read_all(ours)
    for words in ("keys create", "--enforce-model", "Examples", "'tokens 2M/7d'"):
        assert words in text
    assert ("\033[" in text, "╭─" in text) == (is_coloured, is_coloured)


@pytest.mark.operator
def test_help_imports_nothing_of_colours_where_there_is_no_terminal():
    """Most of a command's time is imports."""
    code = "import sys, run; print([m for m in sys.modules if m.startswith('rich')])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True
    )
    assert done.stdout == b"[]\n"
