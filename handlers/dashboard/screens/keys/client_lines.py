"""What a client needs to use the gateway with a key, line by line."""

from typing import NamedTuple

from gateway.admission.client_address import is_https
from gateway.cli.codex_config import Provider
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


class ClientLines(NamedTuple):
    """The lines for one client, and where they belong."""

    client: str
    where: str
    lines: str


def client_lines(screen: PageHandler, token: str) -> list[ClientLines]:
    """For Codex and for the OpenAI SDKs; what the token says is written into them."""
    url = gateway_url(screen)
    provider = Provider(
        url=url, key=token, websockets=screen.gateway.settings.websockets
    )
    told = {"url": url, "token": token, "model": _MODEL}
    return [
        ClientLines("Codex", "~/.codex/config.toml", provider.text()),
        ClientLines("OpenAI SDKs", "the environment", _SHELL.format(**told)),
        ClientLines("Python", "openai", _PYTHON.format(**told)),
        ClientLines("JavaScript", "openai", _JAVASCRIPT.format(**told)),
    ]


def gateway_url(screen: PageHandler) -> str:
    """The gateway as its clients reach it: as set, else as this page was reached."""
    facts, settings = screen.facts, screen.gateway.settings
    if settings.public_url:
        return settings.public_url
    return f"{'https' if is_https(facts, settings) else 'http'}://{facts.host}"
