"""What a client needs to use the gateway with a key, line by line."""

from typing import NamedTuple

from gateway.admission.client_address import is_https
from gateway.app import Gateway
from gateway.cli.codex_config import Provider
from gateway.keys.key import Key
from handlers.dashboard.base import PageHandler

# Where a key is meant that cannot be shown.
SHOWN_TOKEN = "sk-cgw-..."
_PYTHON = """\
from openai import OpenAI

client = OpenAI(base_url="{url}/v1", api_key="{token}")
print(client.responses.create(model="{model}", input="Hello").output_text)
"""
_JAVASCRIPT = """\
import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{url}/v1", apiKey: "{token}" }});
const answer = await client.responses.create({{ model: "{model}", input: "Hello" }});
console.log(answer.output_text);
"""
_SHELL = """\
export OPENAI_BASE_URL="{url}/v1"
export OPENAI_API_KEY="{token}"
"""
_MODEL = "gpt-5.5"
_GLOB = frozenset("*?[")
_WITH_LOGIN = (
    "With a ChatGPT login of Codex's own, and in the desktop app, the table needs "
    "one more line: requires_openai_auth = true"
)


class ClientLines(NamedTuple):
    """The lines for one client, where they belong, and what else is to be said."""

    client: str
    where: str
    lines: str
    note: str = ""


def client_lines(screen: PageHandler, key: Key | None, token: str) -> list[ClientLines]:
    """For Codex and for the OpenAI SDKs, with that text as the key's token."""
    url = gateway_url(screen)
    provider = Provider(
        url=url, key=token, websockets=screen.gateway.settings.websockets
    )
    told = {"url": url, "token": token, "model": usual_model(screen.gateway, key)}
    return [
        ClientLines("Codex", "~/.codex/config.toml", provider.text(), _WITH_LOGIN),
        ClientLines("OpenAI SDKs", "the environment", _SHELL.format(**told)),
        ClientLines("Python", "openai", _PYTHON.format(**told)),
        ClientLines("JavaScript", "openai", _JAVASCRIPT.format(**told)),
    ]


def sign_in_lines(screen: PageHandler, seat: Key) -> ClientLines:
    """For Codex of a person, which signs in by itself.

    With a model only where Codex's own choice may be none of the seat's.
    """
    model = usual_model(screen.gateway, seat)
    is_told = seat.models and seat.allows(model)
    first = f'model = "{model}"\n' if is_told else ""
    provider = Provider(
        url=gateway_url(screen),
        signs_in=True,
        websockets=screen.gateway.settings.websockets,
    )
    return ClientLines("Codex", "~/.codex/config.toml", first + provider.text())


def known_models(gateway: Gateway) -> list[str]:
    """Those that the accounts tell of."""
    catalogues = (one.catalogue for one in gateway.pool.accounts.values())
    found = set[str]().union(*(one.models for one in catalogues if one is not None))
    return sorted(found)


def usual_model(gateway: Gateway, key: Key | None) -> str:
    """A model for an example: one that the key may use."""
    if key is None:
        return _MODEL
    named = (one for one in key.models if not _GLOB.intersection(one))
    candidates = (_MODEL, *known_models(gateway), *named)
    return next(filter(key.allows, candidates), _MODEL)


def gateway_url(screen: PageHandler) -> str:
    """The gateway as its clients reach it: as set, else as this page was reached."""
    facts, settings = screen.facts, screen.gateway.settings
    if settings.public_url:
        return settings.public_url
    return f"{'https' if is_https(facts, settings) else 'http'}://{facts.host}"
