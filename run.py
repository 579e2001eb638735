#!/usr/bin/env python3
"""The command line: serves without arguments; `--help` lists the commands."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 (whoever has an older one hears so)
    sys.exit(f"This needs Python 3.11 or newer, and is run by {sys.version.split()[0]}")

try:
    import click
    from environs import EnvValidationError

    from gateway.cli.base import Commands, pass_settings
    from gateway.cli.commands import COMMANDS
    from gateway.cli.guide.exit_status import ExitStatus
    from gateway.process.release import version
    from gateway.settings import MOST_WORKERS, PACKAGE, PROGRAM, Settings
except ModuleNotFoundError as error:
    from gateway.cli.guide.missing_packages import advice

    sys.exit(advice(error, sys.argv, "requirements.txt"))
except KeyboardInterrupt:
    sys.exit(130)  # as ExitStatus has it, which may not be there yet


def show_version(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:
    """Print the release, and end."""
    if is_asked:
        click.echo(f"{PACKAGE} {version()}")
        ctx.exit()


@click.group(
    cls=Commands,
    elsewhere=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_version,
    help="Show the release and exit.",
)
@click.pass_context
def main(ctx: click.Context) -> None:
    """A gateway for Codex and OpenAI clients. Without a command it serves."""
    if ctx.invoked_subcommand in ("demo", "config", "help", "completion"):
        return  # on settings of its own or none; what is wrong is what `config` tells
    try:
        ctx.obj = Settings.from_env()
    except EnvValidationError as error:
        messages = error.error_messages
        for name in messages:
            reasons = messages[name] if isinstance(messages, dict) else ()
            told = f"{': '.join([name, *reasons])} `{PROGRAM} help {name}` says more."
            click.echo(told, err=True)
        ctx.exit(ExitStatus.USAGE)
    if ctx.invoked_subcommand is None:
        ctx.invoke(serve)


@main.command()
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    help="So many processes, on PostgreSQL.",
)
@pass_settings
def serve(settings: Settings, workers: int | None) -> None:
    """Serve until SIGTERM; running turns may end first."""
    from gateway.cli.serve import start_screen, with_workers
    from gateway.process.parent_state import continues
    from handlers.process import run_server

    settings = with_workers(settings, workers)
    if continues(os.environ):
        sys.exit(run_server(settings))
    screen = start_screen(settings, on_terminal=sys.stdout.isatty())
    sys.exit(run_server(settings, on_ready=lambda port: click.echo(screen(port))))


@main.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=2455,
    show_default=True,
    help="0: any that is free.",
)
@click.option("--lenient", is_flag=True, help="Take what a real upstream would refuse.")
@click.option("--life", is_flag=True, help="With keys that are used, and 14 past days.")
def demo(port: int, lenient: bool, life: bool) -> None:
    """Serve with a scripted upstream; no login needed.

    A prompt can say what is to happen; docs/demo.md says more of each:
    demo:say(hello), demo:tool(3; ls), demo:long(50), demo:reasoning(done),
    demo:refusal(no), demo:incomplete(max_output_tokens),
    demo:usage(50000; 800; 40000), demo:pause(5), demo:failed(server_error), demo:cut,
    demo:usage_limit(20), demo:overloaded, demo:unavailable, demo:error,
    demo:unauthorized.
    """
    from handlers.demo import run_demo

    sys.exit(run_demo(port, click.echo, lenient=lenient, has_life=life))


if __name__ == "__main__":
    main(prog_name=PROGRAM)
