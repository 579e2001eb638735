"""`run.py codex-config`: the lines Codex needs, printed or put where they belong."""

import json
import os
import tempfile
import time
from pathlib import Path

import click

from gateway.cli.admin_client import find_client
from gateway.cli.base import settings_and_json, tell
from gateway.cli.codex_config_file import CannotPatch, Provider, patch
from gateway.settings import Settings


@click.command("codex-config")
@click.option("--url", help="The gateway's address as Codex has it.")
@click.option("--key", envvar="GATEWAY_API_KEY", help="This user's API key.")
@click.option("--write", is_flag=True, help="Change config.toml, keeping a copy.")
@click.option(
    "--full",
    is_flag=True,
    help="All that Codex does for OpenAI alone: remote compaction, compressed bodies.",
)
@click.option(
    "--codex-home",
    envvar="CODEX_HOME",
    type=click.Path(path_type=Path),
    default=Path("~/.codex"),
    help="Where config.toml is.",
)
@settings_and_json
def codex_config(
    settings: Settings,
    /,
    url: str | None,
    codex_home: Path,
    write: bool,
    as_json: bool,
    **given: str | bool | None,
) -> None:
    """The config.toml that makes Codex use the gateway: CLI, desktop and IDE alike."""
    home = codex_home.expanduser()
    key = given["key"]
    provider = Provider(
        url=(url or settings.public_url or _own_url(settings)).rstrip("/"),
        key=str(key) if key else None,
        has_login=has_chatgpt_login(home),
        is_full=bool(given["full"]),
        websockets=settings.websockets,
    )
    path = home / "config.toml"
    if not write:
        row = {"file": str(path), "text": provider.text()}
        tell(row, f"# {path}\n{provider.text()}", as_json=as_json)
        return
    kept = write_config(path, provider)
    copy = "" if kept is None else f"; the old file is {kept}"
    written = {"file": str(path), "backup": None if kept is None else str(kept)}
    tell(written, f"Wrote {path}{copy}.", as_json=as_json)


def _own_url(settings: Settings) -> str:
    client = find_client(settings)
    return client.running.url if client else f"http://127.0.0.1:{settings.port}"


def has_chatgpt_login(home: Path) -> bool:
    """Whether Codex would send tokens of its own."""
    try:
        document = json.loads((home / "auth.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and isinstance(document.get("tokens"), dict)


def write_config(path: Path, provider: Provider) -> Path | None:
    """Patch the file, all or nothing; gives the copy of what was there before."""
    path = path.resolve()  # a link to a file elsewhere stays a link
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text("utf-8") if path.exists() else None
    try:
        text = patch(before or "", provider)
    except CannotPatch as error:
        raise click.ClickException(
            f"{path} was not changed: {error}. Put these lines in yourself:\n\n"
            f"{provider.text()}"
        ) from error
    kept = None
    if before is not None:
        kept = path.with_name(f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}.bak")
        _write(kept, before)
    _write(path, text)
    return kept


def _write(path: Path, text: str) -> None:
    """Readable for the owner alone: there may be a key in it."""
    descriptor, temporary = tempfile.mkstemp(prefix=".config-", dir=path.parent)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)
