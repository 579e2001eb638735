#!/usr/bin/env python3
"""The command line: serves without arguments; `--help` lists the commands."""

import sys

import click
from environs import EnvValidationError

from gateway.cli.base import Commands, pass_settings
from gateway.cli.commands import COMMANDS
from gateway.settings import Settings

no_key_option = click.option(
    "--no-key",
    is_flag=True,
    help="Serve on a reachable address though no API key exists.",
)


@click.group(
    cls=Commands,
    elsewhere=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@no_key_option
@click.pass_context
def main(ctx: click.Context, no_key: bool) -> None:
    """A gateway for Codex and OpenAI clients. Without a command it serves."""
    if ctx.invoked_subcommand == "demo":
        return  # it runs on settings of its own
    try:
        ctx.obj = Settings.from_env()
    except EnvValidationError as error:
        messages = error.error_messages
        for name in messages:
            reasons = messages[name] if isinstance(messages, dict) else ()
            click.echo(": ".join([name, *reasons]), err=True)
        ctx.exit(2)
    if ctx.invoked_subcommand is None:
        ctx.invoke(serve, no_key=no_key)


@main.command()
@no_key_option
@pass_settings
def serve(settings: Settings, no_key: bool) -> None:
    """Serve until SIGTERM; running turns may end first."""
    from gateway.cli.serve import refuse_open_door
    from handlers.process import run_server

    refuse_open_door(settings, no_key)
    sys.exit(run_server(settings))


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=2455, show_default=True)
def demo(port: int) -> None:
    """Serve with a scripted upstream and two demo accounts; no login needed."""
    from handlers.demo import run_demo

    sys.exit(run_demo(port, click.echo))


if __name__ == "__main__":
    main(prog_name="run.py")
