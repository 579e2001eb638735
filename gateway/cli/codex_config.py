"""`run.py codex-config`: the lines Codex needs, printed or put where they belong."""

import json
import re
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from gateway.cli.admin_client import find_client
from gateway.cli.base import Address, KeyText, local_settings_and_json
from gateway.cli.guide.help_page import Command
from gateway.cli.output import print_result
from gateway.oauth.client_rules import CODEX_CLIENT, SCOPE
from gateway.settings import Settings
from gateway.settings.home import at_home
from gateway.store.private_file import create_file, replace_file

PROVIDER = "gateway"
_SIGN_IN = "gateway_oauth"
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
CODEX_PATH = "/backend-api/codex"
# What Codex gives a handshake, 15 s, counts from before its sign-in: then the link it
# has shown leads to a port where nobody listens, and the person has not read it yet.
_SIGN_IN_MS = 120_000
_HEADER = re.compile(r"\s*\[{1,2}\s*(?P<name>[^\[\]]+?)\s*\]{1,2}\s*(#.*)?")
_MODEL_PROVIDER = re.compile(r"\s*[\"']?model_provider[\"']?\s*=")


class CannotPatch(ValueError):
    """The file is written in a way that is not changed safely; the text says why."""


@dataclass(frozen=True, slots=True)
class Provider:
    """How Codex reaches the gateway.

    `is_full`: with everything that Codex does for a provider named OpenAI only
    (remote compaction, compressed bodies), on the path where that name is safe.
    """

    url: str  # of the gateway, without a slash at its end
    key: str | None = None
    has_login: bool = False  # a ChatGPT login, whose token is sent in any case
    is_full: bool = False
    websockets: bool = True
    signs_in: bool = False  # by itself, with no key

    def table(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "name": "OpenAI" if self.is_full else PROVIDER,
            "base_url": self.url + CODEX_PATH + ("/v1" if self.is_full else ""),
            "wire_api": "responses",
            "supports_websockets": self.websockets,
        }
        if self.signs_in:  # beside it Codex takes no other credential
            if self.websockets:
                told["websocket_connect_timeout_ms"] = _SIGN_IN_MS
            told[_SIGN_IN] = self._sign_in()
            return told
        if self.has_login:
            told["requires_openai_auth"] = True
        if self.key is not None:
            # Beside the login's own Authorization, and before it at the gateway.
            told["http_headers"] = {"x-api-key": self.key}
        return told

    def _sign_in(self) -> dict[str, Any]:
        """Changing one of these signs everybody out: tokens are kept by them.

        Without the device URL nothing is shown on a machine without a browser; without
        "file" a keyring is needed; any free port is called back.
        """
        return {
            "authorization_url": f"{self.url}/oauth/authorize",
            "token_url": f"{self.url}/oauth/token",
            "device_authorization_url": f"{self.url}/oauth/device",
            "client_id": CODEX_CLIENT,
            "scopes": [SCOPE],
            "credentials_store": "file",
        }

    def lines(self) -> str:
        """The table as TOML; what a person may want to read has lines of its own."""
        table, name = self.table(), f"model_providers.{PROVIDER}"
        signs_in = table.pop(_SIGN_IN, None)
        parts = [_lines(name, table)]
        if signs_in is not None:
            parts.append(_lines(f"{name}.{_SIGN_IN}", signs_in))
        return "\n".join(parts)

    def text(self) -> str:
        """All that a config.toml needs, for who puts it in by hand."""
        return f'model_provider = "{PROVIDER}"\n\n{self.lines()}'


def patch(text: str, provider: Provider) -> str:
    """The file's text with the provider in it, all else as it was.

    Raises CannotPatch unless the result says just that.
    """
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CannotPatch(f"it is not valid TOML: {error}") from error
    patched = _patched(text, provider)
    wanted = before | {"model_provider": PROVIDER}
    providers = before.get("model_providers", {})
    if not isinstance(providers, dict):
        raise CannotPatch("model_providers is not a table")
    wanted["model_providers"] = {**providers, PROVIDER: provider.table()}
    try:
        after = tomllib.loads(patched)
    except tomllib.TOMLDecodeError as error:
        raise CannotPatch("its tables are written in an unusual way") from error
    if after != wanted:
        raise CannotPatch("its tables are written in an unusual way")
    return patched


def _patched(text: str, provider: Provider) -> str:
    top: list[str] = []
    tables: list[str] = []
    is_top, is_ours = True, False
    for line in text.splitlines():
        header = _HEADER.fullmatch(line)
        if header is not None:
            is_top = False
            is_ours = _is_ours(header["name"])
        if is_ours or (is_top and _MODEL_PROVIDER.match(line)):
            continue
        (top if is_top else tables).append(line)
    chosen = [f'model_provider = "{PROVIDER}"', *top]
    parts = ["\n".join(chosen).strip("\n"), "\n".join(tables).strip("\n")]
    return "\n\n".join([*filter(None, parts), provider.lines()])


def _is_ours(name: str) -> bool:
    parts = [part.strip().strip("\"'") for part in name.split(".")]
    return parts[:2] == ["model_providers", PROVIDER]


def _lines(name: str, table: dict[str, Any]) -> str:
    rows = [f"{key} = {_toml(value)}" for key, value in table.items()]
    return "\n".join([f"[{name}]", *rows]) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items())
        return f"{{ {inside} }}"
    # A JSON string is a TOML string where nothing lies beyond the basic plane.
    return json.dumps(value)


@click.command("codex-config", cls=Command)
@click.option("--url", type=Address(), help="The gateway's address as Codex has it.")
@click.option(
    "--key",
    "api_key",
    type=KeyText(),
    envvar="GATEWAY_API_KEY",
    help="This user's API key.",
)
@click.option("--sign-in", is_flag=True, help="Codex signs in by itself, with no key.")
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
@local_settings_and_json
def codex_config(
    settings: Settings,
    /,
    url: str | None,
    codex_home: Path,
    write: bool,
    as_json: bool,
    **given: str | bool | None,
) -> None:
    """The config.toml that makes Codex use the gateway.

    One for the CLI, the desktop app and the IDE extension.
    """
    home = at_home(codex_home)
    key, signs_in = given["api_key"], bool(given["sign_in"])
    origin = (url or settings.public_url or _own_url(settings)).rstrip("/")
    if signs_in:
        _check_sign_in(origin)
    provider = Provider(
        url=origin,
        signs_in=signs_in,
        key=str(key) if key else None,
        has_login=has_chatgpt_login(home),
        is_full=bool(given["full"]),
        websockets=settings.websockets,
    )
    path = home / "config.toml"
    if not write:
        row = {"file": str(path), "text": provider.text()}
        print_result(row, f"# {path}\n{provider.text()}", as_json=as_json)
        return
    kept = write_config(path, provider)
    copy = "" if kept is None else f"; the old file is {kept}"
    written = {"file": str(path), "backup": None if kept is None else str(kept)}
    print_result(written, f"Wrote {path}{copy}.", as_json=as_json)


def _check_sign_in(url: str) -> None:
    """Raises UsageError for what Codex, or the gateway, takes no sign-in with."""
    source = click.get_current_context().get_parameter_source("api_key")
    if source is ParameterSource.COMMANDLINE:
        raise click.UsageError("--sign-in is without --key: Codex takes one of them.")
    check_sign_in_url(url)


def check_sign_in_url(url: str) -> None:
    """Raises UsageError for one over which tokens would be read by others."""
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
        raise click.UsageError(
            "--sign-in needs an https address, or this machine's: give --url."
        )


def _own_url(settings: Settings) -> str:
    client = find_client(settings)
    return client.url if client else f"http://127.0.0.1:{settings.port}"


def has_chatgpt_login(home: Path) -> bool:
    """Whether Codex would send tokens of its own."""
    try:
        document = json.loads((home / "auth.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and isinstance(document.get("tokens"), dict)


def write_config(path: Path, provider: Provider) -> Path | None:
    """Patch the file, all or nothing; gives the copy of what was there before.

    Both are the owner's alone: there may be a key in them.
    """
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
        create_file(kept, before)  # the first of a second is what the owner had
    replace_file(path, text)
    return kept
