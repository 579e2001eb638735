"""Installs clients and runs their scripts at a gateway."""

import asyncio
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.demo.upstream import ScriptedUpstream
from tests.e2e.gateway_process import GatewayProcess
from tests.tools.clients.table import Client

ROOT = Path(__file__).parents[3]
SCRIPTS = Path(__file__).parent / "scripts"
INSTALLED = ROOT / ".clients"
INSTALLING = 600.0  # seconds, for the largest of them
RUNNING = 300.0


async def run(
    *command: str, folder: Path, env: Mapping[str, str], seconds: float
) -> tuple[int, str]:
    """Exit status and everything printed; a program that hangs is killed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
        return -1, f"killed after {seconds:g} s"
    return process.returncode or 0, output.decode(errors="replace")


async def install(client: Client) -> str:
    """Nothing when it is there in its version, else why it could not be installed."""
    INSTALLED.mkdir(exist_ok=True)
    name = client.script.partition(".")[0]
    with (INSTALLED / f"{name}.lock").open("w") as lock:
        # Tests that run at once share the folder.
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        return await _install(client, INSTALLED / name)


async def _install(client: Client, folder: Path) -> str:
    wanted = "\n".join(client.packages)
    done = folder / "installed.txt"
    if done.exists() and done.read_text() == wanted:
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if client.is_python:
        pip = (*(str(folder / "bin" / "pip"), "install"), "--quiet")
        steps = [(sys.executable, "-m", "venv", "."), (*pip, *client.packages)]
    else:
        (folder / "package.json").write_text("{}")
        npm = ("npm", "install", "--silent", "--no-audit", "--no-fund")
        steps = [(*npm, *client.packages)]
    for step in steps:
        status, output = await run(
            *step, folder=folder, env=os.environ, seconds=INSTALLING
        )
        if status:
            return output.strip() or f"{step[0]} ended with {status}"
    done.write_text(wanted)
    return ""


async def output_of(client: Client, gateway: GatewayProcess, key: str) -> str:
    """What the client's script prints, in a home and a folder of its own."""
    installed = INSTALLED / client.script.partition(".")[0]
    programs = [installed / "bin", installed / "node_modules" / ".bin"]
    script = SCRIPTS / client.script
    if script.suffix == ".mjs":  # node looks for packages from the script's place
        script = Path(shutil.copy(script, installed))
    runner = {".py": "python", ".mjs": "node", ".sh": "bash"}[script.suffix]
    with tempfile.TemporaryDirectory(prefix="client-") as home:
        _, output = await run(
            *(shutil.which(runner, path=path(programs)) or runner, str(script)),
            folder=Path(home),
            env={
                "PATH": path(programs),
                "HOME": home,
                "OPENAI_BASE_URL": f"{gateway.url}/v1",
                "OPENAI_API_KEY": key,
                "GATEWAY_URL": gateway.url,
                **client.env,
            },
            seconds=RUNNING,
        )
    return output


def path(programs: list[Path]) -> str:
    return os.pathsep.join([*map(str, programs), os.environ["PATH"]])


def lines_of(output: str, names: tuple[str, ...]) -> dict[str, str]:
    """The text behind each name, up to the next one; a name may come again."""
    found: dict[str, str] = {}
    name = ""
    for line in output.splitlines():
        head, colon, text = line.partition(": ")
        if colon and head in names:
            name = head
            line = text
        found[name] = f"{found[name]}\n{line}" if name in found else line
    return found


def shortcomings(client: Client, output: str) -> list[str]:
    """What the client did not make of the answers, a text a line."""
    found = lines_of(output, client.lines)
    return [
        f"{line}: expected {client.expects(line)!r}, found {found.get(line)!r}"
        for line in client.lines
        if client.expects(line) not in found.get(line, "")
    ]


@asynccontextmanager
async def stand() -> AsyncIterator[tuple[GatewayProcess, str]]:
    """A gateway before the scripted upstream, and a key of it."""
    upstream = ScriptedUpstream()
    await upstream.start()
    with tempfile.TemporaryDirectory(prefix="clients-") as name:
        folder = Path(name)
        gateway = GatewayProcess(folder, upstream.url)
        file = upstream.add_account("one").write_auth_file(folder / "auth")
        await gateway.run("accounts", "import", str(file))
        key = await gateway.create_key("clients")
        await gateway.start()
        try:
            yield gateway, key
        finally:
            await gateway.stop()
            await upstream.stop()
