"""The help of a command: usage, options by what they are for, examples."""

import os
import sys

import click

from gateway.cli.guide.examples import EXAMPLES
from gateway.settings import PROGRAM

# Titles of options by their parameters' names, which mean the same in every command.
_GROUPS = {
    "Which rows": (
        "key",
        "account",
        "model",
        "status",
        "since",
        "until",
        "by",
        "limit",
    ),
    "What it may use": (
        *("models", "accounts", "tools", "aliases", "expires"),
        *("enforce_model", "enforce_effort", "enforce_tier"),
    ),
    "How much": (
        *("limits", "add_limits", "raise_limits", "drop_limits"),
        *("rpm", "concurrency", "priority", "unpriced"),
    ),
    "Output": ("as_json", "markdown", "kind", "output", "force", "follow"),
}
_OTHERS = "Options"
# The program's commands by title.
_COMMANDS = {
    "Run it": (
        *("serve", "demo", "status", "turns", "members", "doctor", "config"),
        *("notify", "help", "completion"),
    ),
    "Accounts and keys": (
        *("accounts", "keys", "strategy", "tools", "aliases", "admin"),
        *("people", "devices", "token", "codex-config", "dashboard"),
    ),
    "What happened": (
        *("logs", "usage", "explain", "audit", "rules", "errors", "recorder"),
    ),
    "Keep it": ("backup", "restore", "export", "database", "prices"),
}
_OTHER_COMMANDS = "Others"
_WIDTH = 74  # of a row, without its margins
_FEW = 6  # that need no groups


class Command(click.Command):
    """A command whose help has examples."""

    def get_help(self, ctx: click.Context) -> str:
        return help_page(self, ctx)


def help_page(command: click.Command, ctx: click.Context) -> str:
    """Coloured on a terminal; plain in a pipe, a dumb terminal or with NO_COLOR."""
    groups, examples = option_groups(command, ctx), examples_of(ctx)
    commands = command_groups(command, ctx)
    if is_coloured():
        from gateway.cli.guide.coloured_help import coloured_page

        return coloured_page(ctx, groups, commands, examples)
    formatter = ctx.make_formatter()
    command.format_usage(ctx, formatter)
    command.format_help_text(ctx, formatter)
    for title, parameters in groups.items():
        records = [one.get_help_record(ctx) for one in parameters]
        with formatter.section(title):
            formatter.write_dl([record for record in records if record is not None])
    for title, summaries in commands.items():
        with formatter.section(title):
            formatter.write_dl(list(summaries.items()), col_max=20)
    if examples:
        with formatter.section("Examples"):
            formatter.write("".join(f"  {line}\n" for line in examples))
    return formatter.getvalue().rstrip("\n")


def option_groups(
    command: click.Command, ctx: click.Context
) -> dict[str, list[click.Option]]:
    """The options by title, the command's own first."""
    shown = [one for one in command.get_params(ctx) if isinstance(one, click.Option)]
    titles = {name: title for title, names in _GROUPS.items() for name in names}
    groups: dict[str, list[click.Option]] = {_OTHERS: []}
    if len(shown) <= _FEW:
        return {_OTHERS: shown}
    for parameter in shown:
        title = titles.get(parameter.name or "", _OTHERS)
        groups.setdefault(title, []).append(parameter)
    return {title: found for title, found in groups.items() if found}


def command_groups(
    command: click.Command, ctx: click.Context
) -> dict[str, dict[str, str]]:
    """The commands of a group and their summaries, those of the program by title."""
    if not isinstance(command, click.Group):
        return {}
    names = command.list_commands(ctx)
    listed = dict(_COMMANDS) if ctx.parent is None else {"Commands": tuple(names)}
    known = {one for group in listed.values() for one in group}
    listed[_OTHER_COMMANDS] = tuple(one for one in names if one not in known)
    width = _WIDTH - max(map(len, names))
    groups: dict[str, dict[str, str]] = {}
    for title, group in listed.items():
        found = {one: command.get_command(ctx, one) for one in group}
        summaries = {n: c.get_short_help_str(width) for n, c in found.items() if c}
        groups |= {title: summaries} if summaries else {}
    return groups


def examples_of(ctx: click.Context) -> list[str]:
    path = ctx.command_path.partition(" ")[2]
    return [f"{PROGRAM} {line}".rstrip() for line in EXAMPLES.get(path, ())]


def is_coloured() -> bool:
    """Whether the output is a terminal that takes colours, and whoever reads, too."""
    return (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "dumb") != "dumb"
    )
