"""Codex Gateway's command line; without a command it serves."""

import sys
from pathlib import Path

import click
from environs import EnvValidationError

from gateway.accounts.auth_json import read_login
from gateway.admin.accounts import save_login
from gateway.settings import Settings
from gateway.store import models
from gateway.store.database import migrate, open_database
from gateway.store.secrets import SecretBox
from handlers.demo import run_demo
from handlers.server import run_server


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """A gateway for Codex and OpenAI clients over a pool of upstream accounts."""
    if context.invoked_subcommand == "demo":
        return
    try:
        context.obj = Settings.from_env()
    except EnvValidationError as error:
        for name, messages in error.error_messages.items():
            click.echo(f"{name}: {' '.join(messages)}", err=True)
        context.exit(2)
    if context.invoked_subcommand is None:
        context.exit(run_server(context.obj))


@main.command()
@click.option("--port", default=2455, show_default=True)
def demo(port: int) -> None:
    """Serve before the scripted upstream that ships with the gateway."""
    sys.exit(run_demo(port))


@main.group()
def accounts() -> None:
    """The accounts requests go to."""


@accounts.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_obj
def import_files(settings: Settings, files: tuple[Path, ...]) -> None:
    """Import the auth.json that `codex login` writes."""
    key = settings.encryption_key
    secrets = SecretBox.open(settings.data_dir, key.reveal() if key else "")
    database = open_database(settings.database_url)
    models.database.initialize(database)
    with database.connection_context():
        migrate(database)
        for file in files:
            with database.atomic():
                done = save_login(
                    read_login(file), secrets, "cli", source_file=str(file.absolute())
                )
            click.echo(done.name)


if __name__ == "__main__":
    main()
