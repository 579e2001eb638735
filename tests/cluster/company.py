"""Gateways in processes of their own on one PostgreSQL, and what all of them count."""

import asyncio
import json

from cryptography.fernet import Fernet

from tests.cluster.load import TOKENS, Holder
from tests.faults.restarting import RestartingProcess
from tests.operator.test_acting import Shell, key_in
from tests.serving import PATIENCE

CLIENTS, CLIENTS_OF_LARGE = 2, 8


class Company:
    """The gateways, a shell at the first, and what the test makes there."""

    def __init__(self, folder, upstream, **settings):
        self._upstream = upstream
        self._folder = folder
        self.settings = {"ENCRYPTION_KEY": Fernet.generate_key().decode(), **settings}
        self.gateways = []
        self.shell = None

    async def start(self, count, **of_last):
        """So many gateways, with two accounts; some settings are the last one's.

        Those that were added before are among them.
        """
        while len(self.gateways) < count:
            is_last = len(self.gateways) == count - 1
            self.add(**(of_last if is_last else {}))
        made = self.gateways
        self.shell = Shell(made[0].folder, **self.settings)
        for name in ("one", "two"):
            account = self._upstream.add_account(name)
            path = account.write_auth_file(made[0].folder / "auth")
            await self.shell.run("accounts", "import", path)
        # The commands have laid the database.
        await asyncio.gather(*(gateway.start() for gateway in made))
        return self

    def add(self, **settings):
        """One more, not started."""
        folder = self._folder / f"member{len(self.gateways)}"
        folder.mkdir()
        made = RestartingProcess(folder, self._upstream.url, **self.settings | settings)
        self.gateways.append(made)
        return made

    async def stop(self):
        await asyncio.gather(*(gateway.stop() for gateway in self.gateways))
        for gateway in self.gateways:
            print(gateway.log())

    @property
    def doors(self):
        return [gateway.url for gateway in self.gateways]

    async def holders(self, turns, keys=40, large=3):
        """Keys whose limits allow so many turns each; some larger than one process."""
        holders = []
        for number in range(keys):
            name = f"key{number:02}"
            limit = f"tokens {turns * TOKENS}/7d"
            told = await self.shell.run("keys", "create", name, "--limit", limit)
            clients = CLIENTS_OF_LARGE if number < large else CLIENTS
            holders.append(Holder(name, key_in(told), clients, turns))
        return holders

    async def steady(self, keys, *rules):
        """Keys whose clients go on until the load is ended."""
        holders = []
        for number in range(keys):
            told = await self.shell.run("keys", "create", f"steady{number}", *rules)
            holders.append(Holder(f"steady{number}", key_in(told), CLIENTS))
        return holders

    async def rows(self, *words):
        told = await self.shell.run(*words, "--json")
        return [json.loads(line) for line in told.splitlines()]

    async def members(self):
        """Their numbers, the oldest first."""
        return [row["id"] for row in await self.rows("members")]

    async def counted(self):
        """What the counters say that each key used."""
        rows = await self.rows("keys", "list")
        return {
            row["name"]: row["usage"][0]["current_value"]
            for row in rows
            if row["usage"]
        }

    async def logged(self):
        """What the log says of it."""
        rows = await self.rows("usage", "--by", "key")
        return {row["key"]: row["input_tokens"] + row["output_tokens"] for row in rows}

    async def agree(self, used, logged=None):
        """Return once counters and log say this; their last writes are on the way."""
        logged = used if logged is None else logged
        found = None
        try:
            async with asyncio.timeout(PATIENCE):
                while found != (used, logged):
                    await asyncio.sleep(0.1)
                    found = await self.counted(), await self.logged()
        except TimeoutError:
            for have, want in zip(found, (used, logged), strict=True):
                assert not have.items() ^ want.items()
