"""What the newest Codex CLI sends that the captures do not show.

`python -m tests.tools.cli_news [--binary PATH] [--accept]` takes the newest from npm
into a folder that is removed again, lets it talk to the scripted upstream over both
transports, as a CLI and as an app-server, and prints paths, headers, keys and frame
types that no file of `tests/captures` has. What was looked at and is no news any more
is kept there by --accept. Ends with 1 when there is news.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from gateway.demo.accounts import DemoAccount
from gateway.demo.received import Received
from gateway.demo.upstream import ScriptedUpstream
from tests.e2e.app_server import running
from tests.e2e.codex_cli import ROOT, CodexCli
from tests.tools.cli_news.facts import facts_of, facts_of_capture, facts_of_frame

CODEX = "/backend-api/codex"
UNSANDBOXED = "--dangerously-bypass-approvals-and-sandbox"
# (provider's name, path of its base, model, over a socket)
RUNS = (
    ("openai", CODEX, "gpt-5.5", True),
    ("openai", CODEX, "gpt-5.5", False),
    ("openai", CODEX, "gpt-6.1-sol", True),
    ("OpenAI", CODEX + "/v1", "gpt-6.1-sol", False),
)
CALLS: tuple[tuple[str, Any], ...] = (
    ("account/read", {}),
    ("account/rateLimits/read", None),
    ("account/usage/read", None),
    ("account/workspaceMessages/read", None),
    ("account/rateLimitResetCredit/consume", {"idempotencyKey": "x"}),
    ("plugin/list", {}),
    ("plugin/share/list", {}),
    ("app/list", {}),
)


CAPTURES = ROOT / "tests" / "captures"
ACCEPTED = CAPTURES / "accepted_facts.txt"


@asynccontextmanager
async def scripted() -> AsyncIterator[ScriptedUpstream]:
    upstream = ScriptedUpstream()
    await upstream.start()
    try:
        yield upstream
    finally:
        await upstream.stop()


def known_facts() -> set[str]:
    captured = {
        fact for file in CAPTURES.rglob("*.json") for fact in facts_of_capture(file)
    }
    return captured | set(ACCEPTED.read_text().splitlines())


def sent_facts(received: Received) -> set[str]:
    if received.method == "FRAME":
        return facts_of_frame(received.payload)
    return facts_of(received.method, received.path, received.headers, received.payload)


async def new_facts(binary: str, folder: Path) -> set[str]:
    """What the CLI sends in its runs, and no capture has."""
    async with scripted() as upstream:
        for number, (name, path, model, websockets) in enumerate(RUNS):
            cli = _client(binary, folder / str(number), upstream)
            backend = upstream.url + "/backend-api"
            cli.configure(
                upstream.url + path,
                name=name,
                model=model,
                websockets=websockets,
                chatgpt_base_url=backend,
            )
            await cli.exec("demo:tool(echo new)", UNSANDBOXED)
            if number == 0:
                await _ask_as_editor(cli)
        sent = {fact for one in upstream.requests for fact in sent_facts(one)}
    return sent - known_facts()


def _client(binary: str, folder: Path, upstream: ScriptedUpstream) -> CodexCli:
    cli = CodexCli(binary, folder)
    cli.login_with_tokens(DemoAccount("user").auth_document())
    return cli


async def _ask_as_editor(cli: CodexCli) -> None:
    async with running(cli) as server:
        for method, params in CALLS:
            with suppress(RuntimeError):  # not what upstream's real answers are
                await server.call(method, params)


def install_newest(folder: Path) -> str:
    """The newest release from npm; the path of its program."""
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund"]
    command += ["--prefix", str(folder), "@openai/codex@latest"]
    subprocess.run(command, check=True, timeout=300)
    return str(folder / "node_modules" / ".bin" / "codex")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.cli_news")
    parser.add_argument("--binary", help="instead of the newest on npm")
    parser.add_argument("--accept", action="store_true", help="no news any more")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="news-") as name:
        folder = Path(name)
        given = options.binary and str(Path(options.binary).resolve())
        binary = given or install_newest(folder / "npm")
        version = subprocess.run(
            [binary, "--version"], check=True, capture_output=True, text=True
        )
        print(version.stdout.strip())
        found = sorted(asyncio.run(new_facts(binary, folder / "runs")))
    print("\n".join(f"new: {fact}" for fact in found) or "nothing new")
    if options.accept:
        kept = {*found, *ACCEPTED.read_text().splitlines()}
        ACCEPTED.write_text("".join(f"{fact}\n" for fact in sorted(kept)))
    return 1 if found and not options.accept else 0


if __name__ == "__main__":
    sys.exit(main())
