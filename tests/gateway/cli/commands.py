"""Runs commands of run.py in this process, on a data directory of their own."""

import json
import os
from dataclasses import dataclass

import click
from click.testing import CliRunner

from run import main


@dataclass
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def rows(self):
        """The objects of --json."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def row(self):
        (only,) = self.rows
        return only


class Commands:
    """`commands("keys", "list")`; settings are variables without their prefix."""

    def __init__(self, folder, **settings):
        self.data_dir = folder / "data"
        self.env = {
            "HOME": str(folder),
            "CODEX_HOME": None,
            "GATEWAY_API_KEY": None,
            "GATEWAY_DATA_DIR": str(self.data_dir),
            "GATEWAY_PORT": "1",  # where nobody listens
            **{f"GATEWAY_{name}": value for name, value in settings.items()},
        }

    def __call__(self, *arguments, stdin=None, **env):
        words = [str(argument) for argument in arguments]
        done = CliRunner().invoke(
            main, words, stdin, env=self.env | env, prog_name="run.py"
        )
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    def good(self, *arguments, **env):
        done = self(*arguments, **env)
        assert done.status == 0, done.err
        return done

    def rows(self, *arguments):
        return self.good(*arguments, "--json").rows


def command_tree(command, path=""):
    """All commands by what is typed: `{"keys create": …}`; the program is ""."""
    found = {path: command}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            found |= command_tree(inner, f"{path} {name}".strip())
    return found


def read_all(terminal):
    """What was written to a terminal whose other end nobody has any more; closes it."""
    told = b""
    while True:
        try:
            told += os.read(terminal, 65536)
        except OSError:  # there is no more
            os.close(terminal)
            return told.decode()
