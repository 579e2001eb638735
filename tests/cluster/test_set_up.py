"""docs/scaling.md, followed as it stands: from one process on SQLite to three."""

import re

import aiohttp
import pytest

from tests.cluster.workers import WorkersProcess
from tests.e2e.gateway_process import ROOT
from tests.faults.conftest import start_process
from tests.faults.process import FaultyProcess, last_event
from tests.gateway.conftest import driver, server
from tests.operator.conftest import database_url
from tests.serving import CODEX, payload

__all__ = ["database_url", "driver", "server", "start_process"]
pytestmark = [pytest.mark.cluster, pytest.mark.nightly]


class MovedProcess(WorkersProcess):
    """On SQLite until the document's first command was given."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.env_file = self.folder / ".env"
        self.env_file.write_text("")

    async def start(self):
        """Copy, name the database, and serve, as the document has it."""
        text = (ROOT / "docs" / "scaling.md").read_text()
        found = re.search(r"```\n(python run.py database copy )\S+\n(.*)\n```", text)
        assert found is not None
        assert found[2] == "python run.py serve --workers 4"
        url = self.env.pop("MOVES_TO")
        self.key = await self.create_key("laptop", "--limit", "requests 4/1d")
        copied = await self.run(*found[1].split()[2:], url)
        assert "Copied" in copied
        self.env_file.write_text(f"GATEWAY_DATABASE_URL={url}\nGATEWAY_WORKERS=2\n")
        self.env["GATEWAY_DATABASE_URL"] = url  # for commands, which run elsewhere
        await super().start()


async def ask(port, key):
    headers = {"authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"http://127.0.0.1:{port}{CODEX}", json=payload()) as response,
    ):
        body = await response.read()
        return last_event(body) if response.status == 200 else response.status


@pytest.mark.gen_test(timeout=120)
async def test_two_commands_and_another_machine_s_three_lines(
    upstream, start_process, database_url
):
    def make(folder, upstream_url, **settings):
        made = MovedProcess(folder, upstream_url, **settings)
        made.env["MOVES_TO"] = database_url
        return made

    process = await start_process(kind=make)
    own = sorted(await process.serve(2))
    key_file = process.folder / "data" / "encryption.key"
    other = await start_process(
        "two",
        kind=FaultyProcess,
        DATABASE_URL=database_url,
        ENCRYPTION_KEY=key_file.read_text().strip(),
    )
    assert len((await other.run("members", "--json")).splitlines()) == 3
    # One limit for all of them, wherever its requests go.
    answers = [await ask(port, process.key) for port in (*own, other.port, *own)]
    assert answers == ["response.completed"] * 4 + [429]
