"""The scripted upstream of a soak, in a process of its own, with its weather.

Run as `python -m tests.tools.soak.upstream SCRIPT FOLDER NAME…`. It prints a JSON line
with its URL and the accounts' files; to the line that says where the gateway is it
answers with what has happened, once the weather is over. It ends when nobody holds its
input.
"""

import asyncio
import importlib
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import uvloop

from gateway.demo.upstream import ScriptedUpstream
from tests.e2e.gateway_process import ROOT
from tests.tools.soak.weather import Record, Weather

PLAIN = "-"  # no script besides the usual answers
LONGEST_LINE = 64 * 1024 * 1024  # of a record of half an hour


class UpstreamProcess:
    """The parent's side."""

    def __init__(self, process, told):
        self._process = process
        self.url = told["url"]
        self.files = told["files"]

    async def storm(self, gateway_url, token, seconds, seed):
        """Let the accounts have bad weather for so long; what has happened."""
        wanted = {"url": gateway_url, "token": token, "seconds": seconds, "seed": seed}
        self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
        return Record.of(json.loads(await self._process.stdout.readline()))

    async def stop(self):
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 20)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def start(folder, names, script=PLAIN):
    """A running upstream with these accounts; its owner stops it.

    `script` is a module whose `install` says what it answers besides the usual.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.tools.soak.upstream"),
        *(script, str(folder), *names),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
    )
    told = await asyncio.wait_for(process.stdout.readline(), 30)
    return UpstreamProcess(process, json.loads(told))


async def serve(script, folder, names):
    upstream = ScriptedUpstream(remember=500)
    if script != PLAIN:
        importlib.import_module(script).install(upstream)
    await upstream.start()
    files = [upstream.add_account(name).write_auth_file(folder) for name in names]
    tell({"url": upstream.url, "files": [str(file) for file in files]})
    try:
        lines = await standard_input()
        while line := await lines.readline():
            wanted = json.loads(line)
            async with operator(wanted["url"], wanted["token"]) as operate:
                weather = Weather(upstream, operate, wanted["seed"])
                await weather.run(wanted["seconds"])
            tell(weather.record.told())
    finally:
        await upstream.stop()


@asynccontextmanager
async def operator(url, token):
    """Takes accounts out of service and puts them back: `await it(name, "pause")`."""
    headers = {"authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def operate(name, action):
            path = f"{url}/api/accounts/{name}@demo.example/{action}"
            async with session.post(path) as response:
                assert response.status == 200, await response.text()

        yield operate


async def standard_input():
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader


def tell(value):
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    script, folder, *names = sys.argv[1:]
    uvloop.run(serve(script, Path(folder), names))
