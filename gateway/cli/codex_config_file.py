"""The part of a Codex user's config.toml that leads to the gateway. Pure."""

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any

PROVIDER = "gateway"
CODEX_PATH = "/backend-api/codex"
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

    def table(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "name": "OpenAI" if self.is_full else PROVIDER,
            "base_url": self.url + CODEX_PATH + ("/v1" if self.is_full else ""),
            "wire_api": "responses",
            "supports_websockets": self.websockets,
        }
        if self.has_login:
            told["requires_openai_auth"] = True
        if self.key is not None:
            # Beside the login's own Authorization, and before it at the gateway.
            told["http_headers"] = {"x-api-key": self.key}
        return told

    def lines(self) -> str:
        """The table as TOML."""
        rows = [f"{name} = {_toml(value)}" for name, value in self.table().items()]
        return "\n".join([f"[model_providers.{PROVIDER}]", *rows]) + "\n"

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


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items())
        return f"{{ {inside} }}"
    # A JSON string is a TOML string where nothing lies beyond the basic plane.
    return json.dumps(value)
