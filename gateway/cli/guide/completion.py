"""`run.py completion`: the Tab key completes commands, options, choices and names."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
from click.shell_completion import get_completion_class

from gateway.cli.base import Commands
from gateway.cli.output import print_result
from gateway.cli.upkeep.new_file import force_option, new_file
from gateway.settings import PROGRAM
from gateway.settings.home import at_home


class Shell(NamedTuple):
    """Where a shell looks for the script, below the home, and what else it needs."""

    folder: Callable[[], Path]
    file: str
    advice: str


def _below(variable: str, default: str, *parts: str) -> Path:
    return Path(os.environ.get(variable) or at_home(Path("~", default))).joinpath(
        *parts
    )


SHELLS = {
    "bash": Shell(
        lambda: _below(
            "XDG_DATA_HOME", ".local/share", "bash-completion", "completions"
        ),
        PROGRAM,
        "New shells have it if the package bash-completion is installed; if not, add "
        "to ~/.bashrc: source {file}",
    ),
    "zsh": Shell(
        lambda: at_home(Path("~/.zfunc")),
        f"_{PROGRAM}",
        "Add to ~/.zshrc, once: fpath+=({folder}); autoload -Uz compinit; compinit",
    ),
    "fish": Shell(
        lambda: _below("XDG_CONFIG_HOME", ".config", "fish", "completions"),
        f"{PROGRAM}.fish",
        "New shells have it.",
    ),
}
_shell_argument = click.argument(
    "shell", required=False, type=click.Choice(list(SHELLS)), metavar="[SHELL]"
)


@click.group(cls=Commands)
def completion() -> None:
    """Commands, options and names completed with the Tab key."""


@completion.command()
@_shell_argument
def show(shell: str | None) -> None:
    """Print the script of bash, zsh or fish; by default your shell's."""
    click.echo(script(shell or _own_shell()))


@completion.command()
@_shell_argument
@force_option
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def install(shell: str | None, force: bool, as_json: bool) -> None:
    """Put the script where bash, zsh or fish look for it.

    By default your shell's. It completes PROGRAM as it is typed, with the commands,
    options and choices there are then, and names of keys and accounts.
    """
    chosen = shell or _own_shell()
    kind, text = SHELLS[chosen], script(chosen)
    file = kind.folder() / kind.file
    is_new = not (file.is_file() and file.read_text("utf-8", "replace") == text)
    if is_new:
        file.parent.mkdir(parents=True, exist_ok=True)
        instead = f"put what `{PROGRAM} completion show {chosen}` prints elsewhere"
        is_forced = force or _is_ours(file)
        with new_file(file, force=is_forced, instead=instead) as written:
            written.write_text(text, "utf-8")
    advice = kind.advice.format(file=file, folder=file.parent)
    print_result(
        {"shell": chosen, "file": str(file), "is_new": is_new, "advice": advice},
        f"{'Wrote' if is_new else 'Up to date:'} {file}\n{advice}",
        as_json=as_json,
    )


def script(shell: str) -> str:
    """What the shell reads, by click."""
    maker = get_completion_class(shell)
    assert maker is not None
    variable = f"_{PROGRAM.replace('.', '_')}_COMPLETE".upper()
    return maker(click.Command(PROGRAM), {}, PROGRAM, variable).source()


def _is_ours(file: Path) -> bool:
    """A script of an earlier release."""
    if file.is_symlink() or not file.is_file():
        return False
    return f"{PROGRAM.replace('.', '')}_completion" in file.read_text(
        "utf-8", "replace"
    )


def _own_shell() -> str:
    name = Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise click.UsageError(f"Say which shell: {', '.join(SHELLS)}.")
    return name
