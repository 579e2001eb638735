"""The real Codex CLI, straight to a failing upstream and through the gateway.

`python -m tests.tools.cli_failures [--only REGEX] [--rounds N] [--binary PATH]`:
for each row and transport the final words, the seconds (median) and the attempts that
upstream saw. Exits with 1 when the words differ, or the gateway takes longer than the
client straight: by more than a second, or a tenth, beside one inner wait.
"""

import argparse
import asyncio
import os
import re
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.upstream import ScriptedUpstream
from tests.e2e.codex_cli import NEWEST, CodexCli, Run
from tests.e2e.gateway_process import GatewayProcess
from tests.tools.cli_failures.rows import ROWS, Row

CODEX = "/backend-api/codex"
UNSANDBOXED = "--dangerously-bypass-approvals-and-sandbox"
NAMES = ("one", "two")
# What differs from run to run, in the client's last words.
_MASKS = (
    (re.compile(r"https?://[^\s,)]+"), "<url>"),
    (re.compile(r", request id: \S+"), ""),
    (re.compile(r',?"(?:request_id|origin|phase)":"[^"]*"'), ""),
    (re.compile(r"\d+:\d\d [AP]M"), "<time>"),
    (re.compile(r'(?<=[:,])\s+(?=["{\d])'), ""),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of the runs of one row."""

    words: str
    seconds: float
    attempts: int


def last_words(run: Run) -> str:
    """The last error the user reads, or what the model said."""
    errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
    text = errors[-1] if errors else run.stdout.strip()
    for pattern, mark in _MASKS:
        text = pattern.sub(mark, text)
    return text or f"exit {run.returncode}"


@asynccontextmanager
async def scripted() -> AsyncIterator[ScriptedUpstream]:
    upstream = ScriptedUpstream()
    await upstream.start()
    try:
        yield upstream
    finally:
        await upstream.stop()


@asynccontextmanager
async def gateway(
    upstream: ScriptedUpstream, folder: Path, accounts: int
) -> AsyncIterator[GatewayProcess]:
    """A fresh gateway, so that nothing is known of upstream."""
    process = GatewayProcess(folder, upstream.url)
    for name in NAMES[:accounts]:
        file = upstream.add_account(name).write_auth_file(folder / name)
        await process.run("accounts", "import", str(file))
    await process.run("strategy", "fill_first")
    await process.start()
    try:
        yield process
    finally:
        await process.stop()


async def run_cli(
    url: str, folder: Path, options: argparse.Namespace, *, websockets: bool
) -> Run:
    cli = CodexCli(options.binary, folder)
    cli.login_with_key("sk-fake-users-own-key")
    cli.configure(url + CODEX, websockets=websockets)
    retries = [
        word
        for name in ("request_max_retries", "stream_max_retries")
        for word in ("-c", f"model_providers.tested.{name}={options.retries}")
    ]
    return await cli.exec("hello", UNSANDBOXED, *retries, deadline=180)


async def one_run(
    row: Row, options: argparse.Namespace, *, websockets: bool, straight: bool
) -> Seen:
    with tempfile.TemporaryDirectory(prefix="cli-") as name:
        folder = Path(name)
        async with scripted() as upstream:
            row.play(upstream)
            if straight:
                run = await run_cli(
                    upstream.url, folder / "codex", options, websockets=websockets
                )
            else:
                (folder / "gateway").mkdir()
                async with gateway(
                    upstream, folder / "gateway", row.accounts
                ) as process:
                    run = await run_cli(
                        process.url, folder / "codex", options, websockets=websockets
                    )
            attempts = len(upstream.of())
    return Seen(last_words(run), run.seconds, attempts)


async def seen(
    row: Row, options: argparse.Namespace, *, websockets: bool, straight: bool
) -> Seen:
    runs = [
        await one_run(row, options, websockets=websockets, straight=straight)
        for _ in range(options.rounds)
    ]
    seconds = statistics.median(one.seconds for one in runs)
    return Seen(runs[-1].words, seconds, max(one.attempts for one in runs))


def is_as_good(row: Row, straight: Seen, through: Seen) -> bool:
    tolerance = max(1.0, straight.seconds / 10) + row.inner_wait
    is_better = "ERROR" in straight.words and "ERROR" not in through.words
    is_same = row.has_own_words or through.words == straight.words
    return is_better or (is_same and through.seconds <= straight.seconds + tolerance)


async def compare(options: argparse.Namespace) -> bool:
    all_good = True
    for row in ROWS:
        if not re.search(options.only, row.name):
            continue
        for websockets in (True, False):
            if row.is_sockets_only and not websockets:
                continue
            straight, through = [
                await seen(row, options, websockets=websockets, straight=one)
                for one in (True, False)
            ]
            good = is_as_good(row, straight, through)
            all_good &= good
            transport = "WebSocket" if websockets else "HTTP"
            print(
                f"| {row.name} | {transport} | {straight.seconds:.1f} s, "
                f"{straight.attempts} | {through.seconds:.1f} s, {through.attempts} | "
                f"{'' if good else 'DIFFERS: '}{through.words}"
                + ("" if good else f" / straight: {straight.words}")
                + " |",
                flush=True,
            )
    return all_good


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.cli_failures")
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--retries", type=int, default=2, help="the client's own")
    parser.add_argument("--binary", default=os.environ.get("CODEX_BIN", str(NEWEST)))
    options = parser.parse_args()
    print("| upstream does | transport | straight | through the gateway | words |")
    print("| --- | --- | --- | --- | --- |")
    return 0 if asyncio.run(compare(options)) else 1


if __name__ == "__main__":
    sys.exit(main())
