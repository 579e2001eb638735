"""Runs the real Codex CLI in a home of its own."""

import asyncio
import json
import os
import re
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROVIDER = """\
{model}model_provider = "tested"
{top}
[model_providers.tested]
name = "{name}"
base_url = "{base_url}"
wire_api = "responses"
supports_websockets = {websockets}
{login}
"""


NEWEST = ROOT / "node_modules" / "codex-newest" / "bin" / "codex.js"


def find_binary() -> str | None:
    """CODEX_BIN, else the older one of the project's node_modules, else PATH."""
    named = os.environ.get("CODEX_BIN")
    local = ROOT / "node_modules" / ".bin" / "codex"
    return named or (str(local) if local.exists() else shutil.which("codex"))


@dataclass(frozen=True, slots=True)
class Run:
    """What one run printed; `seconds` on the wall."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float

    def masked(self) -> str:
        """Everything printed, without what differs from run to run."""
        text = f"{self.stdout}\n--- stderr\n{self.stderr}"
        for pattern, mark in _MASKS:
            text = pattern.sub(mark, text)
        return text


_MASKS = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"(127\.0\.0\.1|localhost):\d+"), "<host>"),
    (re.compile(r"in \d+(\.\d+)?m?s\b"), "in <duration>"),
    (re.compile(r"/\S*/codex\d+/project"), "<folder>"),
)


class CodexCli:
    """One CODEX_HOME and a working folder, both below `folder`."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.binary = binary
        self.home = folder / "home"
        self.workdir = folder / "project"
        self._env: dict[str, str] = {}
        self.home.mkdir(parents=True)
        self.workdir.mkdir()
        self._temporary = folder / "tmp"
        self._temporary.mkdir()

    def configure(
        self,
        base_url: str,
        *,
        name: str = "openai",
        model: str = "gpt-5.5",
        websockets: bool = True,
        chatgpt_base_url: str = "",
    ) -> None:
        """Write config.toml; call `login_with_…` afterwards or before.

        `model` "": the client's own default.
        """
        login = "requires_openai_auth = true"
        if "TESTED_API_KEY" in self._env:
            login = 'env_key = "TESTED_API_KEY"'
        top = f'chatgpt_base_url = "{chatgpt_base_url}"\n' if chatgpt_base_url else ""
        (self.home / "config.toml").write_text(
            PROVIDER.format(
                model=f'model = "{model}"\n' if model else "",
                top=top,
                name=name,
                base_url=base_url,
                websockets=str(websockets).lower(),
                login=login,
            )
        )

    def login_with_tokens(
        self, auth_document: dict[str, object], refresh_url: str = ""
    ) -> None:
        """A ChatGPT login, as `codex login` leaves it, renewed at this URL."""
        if refresh_url:
            self._env = {"CODEX_REFRESH_TOKEN_URL_OVERRIDE": refresh_url}
        (self.home / "auth.json").write_text(json.dumps(auth_document))

    def login_with_key(self, key: str) -> None:
        self._env = {"TESTED_API_KEY": key}

    def trust(self, certificate: Path) -> None:
        """Take a server for genuine that has this certificate."""
        self._env |= {"SSL_CERT_FILE": str(certificate)}

    async def login_with_access_token(self, token: str, auth_url: str) -> None:
        """Let `codex login` ask at `auth_url` whose the token is, and store it."""
        process = await asyncio.create_subprocess_exec(
            *(self.binary, "login", "--with-access-token"),
            env={**self.environment(), "CODEX_AUTHAPI_BASE_URL": auth_url},
            cwd=self.workdir,
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, told = await asyncio.wait_for(process.communicate(token.encode()), 30)
        assert process.returncode == 0, told

    @asynccontextmanager
    async def started(
        self, *command: str, stdin: int, limit: int = 2**16
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """The CLI; its whole process group is gone when the context is left.

        `limit`: bytes of the longest line that is read of it.
        """
        process = await asyncio.create_subprocess_exec(
            self.binary,
            *command,
            env=self.environment(),
            cwd=self.workdir,
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=limit,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "CODEX_HOME": str(self.home),
            "TERM": "xterm",
            # Codex warns when its home lies below the folder for temporary files.
            "TMPDIR": str(self._temporary),
            **self._env,
        }

    async def exec(self, prompt: str, *options: str, deadline: float = 60) -> Run:
        """One `codex exec`; the whole process group is gone when this returns."""
        command = ["exec", "--skip-git-repo-check", "-C", str(self.workdir), *options]
        started = time.monotonic()
        nothing = asyncio.subprocess.DEVNULL
        async with self.started(*command, prompt, stdin=nothing) as process:
            async with asyncio.timeout(deadline):
                stdout, stderr = await process.communicate()
        return Run(
            process.returncode or 0,
            stdout.decode(),
            stderr.decode(),
            time.monotonic() - started,
        )
