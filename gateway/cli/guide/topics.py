"""`run.py help`: what the documents say about a topic, a code or a setting."""

from collections.abc import Mapping
from typing import NamedTuple

import click

from gateway.admin.explained.documents import described, section
from gateway.cli.guide.help_page import Command, is_coloured
from gateway.cli.guide.usage_errors import UsageLine
from gateway.cli.output import text
from gateway.settings import PROGRAM
from gateway.settings.suggestions import nearest, question

_LISTED = f"`{PROGRAM} help` lists them."


class Topic(NamedTuple):
    """`heading` "": the whole document."""

    summary: str
    document: str
    heading: str = ""


_OPERATING = "docs/operating.md"
_BACKUPS = "Backups, and moving to another database"
TOPICS = {
    "quickstart": Topic("an account, a start, a client", "README.md", "Use it"),
    "install": Topic("in a clone, or as a command", "README.md", "Try it"),
    "share": Topic("keys, TLS, a service", "README.md", "Share it"),
    "questions": Topic(
        "what is asked every week, and the commands",
        _OPERATING,
        "The questions of every week",
    ),
    "clients": Topic("Codex, SDKs and other programs", "docs/clients.md"),
    "codex": Topic(
        "the lines for Codex", "docs/clients.md", "Codex: CLI, desktop and IDE"
    ),
    "accounts": Topic("logins and API keys of upstream", _OPERATING, "Accounts"),
    "keys": Topic("who may use the gateway", _OPERATING, "Keys"),
    "limits": Topic("what a key may spend", _OPERATING, "Keys"),
    "logs": Topic("what happened: logs, usage, explain", _OPERATING, "The record"),
    "backup": Topic("a copy, and how to put it back", _OPERATING, _BACKUPS),
    "database": Topic("another one: SQLite, PostgreSQL", _OPERATING, _BACKUPS),
    "status": Topic(
        "is all well, and what runs", _OPERATING, "Is all well, and what runs now"
    ),
    "prices": Topic("what a turn costs", "docs/prices.md"),
    "errors": Topic("every error: cause, fix, whose fault", "docs/errors.md"),
    "settings": Topic("every GATEWAY_ setting", "docs/settings.md"),
    "exit-codes": Topic("the statuses of commands", _OPERATING, "Exit codes"),
    "doctor": Topic(
        "what the doctor looks at", _OPERATING, "What is wrong: the doctor"
    ),
    "remote": Topic(
        "commands at another machine's gateway",
        _OPERATING,
        "Which gateway a command acts on",
    ),
    "restarts": Topic("without losing a turn; systemd", _OPERATING, "Restarts"),
    "scaling": Topic("several processes, several machines", "docs/scaling.md"),
    "upgrading": Topic("to a newer release, and back", "docs/upgrading.md"),
    "notifications": Topic("webhook, ntfy, mail", _OPERATING, "Notifications"),
    "strangers": Topic(
        "what they reach, and what not", _OPERATING, "What strangers reach"
    ),
    "metrics": Topic("for Prometheus", _OPERATING, "Metrics"),
    "admin-api": Topic("what commands do, over HTTP", _OPERATING, "The admin API"),
    "rules": Topic("what is changed and refused", "docs/rules.md"),
    "dashboard": Topic("its pages, and how to open it", "docs/dashboard.md"),
    "demo": Topic("what a prompt to the demo can ask for", "docs/demo.md"),
}


@click.command("help", cls=Command)
@click.argument("words", nargs=-1, metavar="[TOPIC]")
@click.pass_context
def topics(ctx: click.Context, words: tuple[str, ...]) -> None:
    """What to read: a topic, an error's code, a setting.

    Without TOPIC all of them are listed. A command's name shows its --help.
    """
    if not words:
        _list_topics()
        return
    word, known = " ".join(words), described()
    if word in TOPICS:
        topic = TOPICS[word]
        _show(section(topic.document, topic.heading))
    elif word in known:
        _show("\n\n".join(_as_text(word, row) for row in known[word]))
    else:
        _show_command(ctx.find_root(), words, [*TOPICS, *known])


def _list_topics() -> None:
    width = max(map(len, TOPICS))
    for name, topic in TOPICS.items():
        click.echo(f"  {name:<{width}}  {topic.summary}")
    click.echo(
        f"\n`{PROGRAM} help TOPIC` shows one; TOPIC may also be an error's code, a "
        "GATEWAY_ setting or a command."
    )


def _show(text: str) -> None:
    if not is_coloured():
        click.echo(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))


def _as_text(name: str, row: Mapping[str, str]) -> str:
    """A row without its name, which may stand among others there."""
    _, *cells = row.items()
    return "\n".join(
        [f"**{name}**", "", *(f"- {title}: {cell}" for title, cell in cells)]
    )


def _show_command(
    root: click.Context, words: tuple[str, ...], known: list[str]
) -> None:
    """The help of the command that the words are, or what was likely meant."""
    context = root
    for word in words:
        group = context.command
        names = group.list_commands(context) if isinstance(group, click.Group) else []
        if not isinstance(group, click.Group) or word not in names:
            asked = question(nearest(word, names if context.parent else names + known))
            told = [f"There is no topic '{word}'.", asked, _LISTED]
            raise UsageLine(text(" ".join(filter(None, told))))
        command = group.get_command(context, word)
        assert command is not None
        context = click.Context(command, info_name=word, parent=context)
    click.echo(context.get_help())
