"""One run of the real Codex CLI at a failing upstream, straight or through."""

import asyncio
import re
import shutil
import statistics
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.accounts import DemoAccount
from gateway.demo.upstream import ScriptedUpstream
from tests.e2e.codex_cli import CodexCli, Run
from tests.e2e.gateway_process import GatewayProcess
from tests.tools.cli_failures.row import Row

CODEX = "/backend-api/codex"
UNSANDBOXED = "--dangerously-bypass-approvals-and-sandbox"
NAMES = ("one", "two")
DEADLINE = 120  # seconds of one run
STARTS = 3
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

    @property
    def is_error(self) -> bool:
        return self.words.startswith(("ERROR", "exit"))

    @classmethod
    def of(cls, runs: Iterable["Seen"]) -> "Seen":
        """The median of several, and all words that differ."""
        seen = list(runs)
        words = " or ".join(dict.fromkeys(one.words for one in seen))
        seconds = statistics.median(one.seconds for one in seen)
        return cls(words, seconds, max(one.attempts for one in seen))


def last_words(run: Run) -> str:
    """The last error the user reads, or what the model said."""
    errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
    text = errors[-1] if errors and run.returncode else run.stdout.strip()
    for pattern, mark in _MASKS:
        text = pattern.sub(mark, text)
    return text or f"exit {run.returncode}"


@dataclass(slots=True)
class Imported:
    """Data dirs with accounts in them, made once and copied for each run."""

    folder: Path
    accounts: dict[str, DemoAccount]

    @classmethod
    async def make(cls, folder: Path) -> "Imported":
        made = cls(folder, {name: DemoAccount(name) for name in NAMES})
        for count in range(len(NAMES) + 1):
            (folder / str(count)).mkdir(parents=True)
            process = GatewayProcess(folder / str(count), "http://127.0.0.1:9")
            for account in list(made.accounts.values())[:count]:
                file = account.write_auth_file(folder / "auth")
                await process.run("accounts", "import", str(file))
            await process.run("strategy", "fill_first")
        return made


class Trial:
    """Runs one client binary."""

    def __init__(self, binary: str, retries: int | None, imported: Imported) -> None:
        self._binary = binary
        self._retries = retries  # of the client; None: its own number
        self._imported = imported

    async def run(self, row: Row, *, websockets: bool, straight: bool) -> Seen:
        """One run; another when a busy machine did not get a gateway started."""
        for _ in range(STARTS):
            with suppress(TimeoutError):
                return await self._run(row, websockets=websockets, straight=straight)
        raise TimeoutError(f"no gateway started for {row.name}")

    async def _run(self, row: Row, *, websockets: bool, straight: bool) -> Seen:
        """With an upstream, a home and a gateway of its own."""
        with tempfile.TemporaryDirectory(prefix="cli-") as name:
            folder = Path(name)
            async with self._upstream(row) as upstream:
                cli = CodexCli(self._binary, folder / "codex")
                if straight and row.own_login:
                    cli.login_with_tokens(
                        self._imported.accounts["one"].auth_document(),
                        upstream.url + "/oauth/token",
                    )
                else:
                    cli.login_with_key("sk-fake-users-own-key")
                if straight:
                    cli.configure(upstream.url + CODEX, websockets=websockets)
                    run = await self._exec(cli, row, upstream)
                else:
                    async with self._gateway(row, upstream, folder / "gateway") as url:
                        cli.configure(url + CODEX, websockets=websockets)
                        run = await self._exec(cli, row, upstream)
                attempts = len(upstream.of(row.counted))
        return Seen(last_words(run), run.seconds, attempts)

    async def _exec(self, cli: CodexCli, row: Row, upstream: ScriptedUpstream) -> Run:
        options = dict(row.options)
        if self._retries is not None:
            for name in ("request_max_retries", "stream_max_retries"):
                options.setdefault(name, self._retries)
        words = [
            word
            for name, value in options.items()
            for word in ("-c", f"model_providers.tested.{name}={value}")
        ]
        upstream.requests.clear()
        outage = asyncio.create_task(_outage(upstream, row.outage))
        try:
            return await cli.exec("hello", UNSANDBOXED, *words, deadline=DEADLINE)
        except TimeoutError:
            return Run(1, "", f"ERROR: no end in {DEADLINE} s", DEADLINE)
        finally:
            await outage

    @asynccontextmanager
    async def _upstream(self, row: Row) -> AsyncIterator[ScriptedUpstream]:
        upstream = ScriptedUpstream()
        for name in NAMES[: row.accounts]:
            upstream.accounts[name] = copy(self._imported.accounts[name])
        await upstream.start()
        try:
            row.play(upstream)
            yield upstream
        finally:
            await upstream.stop()

    @asynccontextmanager
    async def _gateway(
        self, row: Row, upstream: ScriptedUpstream, folder: Path
    ) -> AsyncIterator[str]:
        """A fresh gateway, so that nothing is known of upstream."""
        shutil.copytree(self._imported.folder / str(row.accounts), folder)
        process = GatewayProcess(folder, upstream.url, **row.settings)
        try:
            await process.start()
            for command in row.commands:
                await process.run(*command, may_fail=True)
            yield process.url
        finally:
            await process.stop()


async def _outage(upstream: ScriptedUpstream, seconds: float) -> None:
    """Nobody listens at upstream's port for so long."""
    if seconds:
        port = int(upstream.url.rpartition(":")[2])
        await upstream.stop()
        await asyncio.sleep(seconds)
        await upstream.start(port)
