"""Several gateways on one PostgreSQL: limits hold, and all have the same sums."""

import asyncio
import json

import pytest
from cryptography.fernet import Fernet

from tests.cluster.load import TOKENS, Holder, Load, turns_by_name
from tests.gateway.conftest import driver, server
from tests.operator.conftest import database_url, make_gateway
from tests.operator.test_acting import Shell, key_in
from tests.serving import PATIENCE

__all__ = ["database_url", "driver", "make_gateway", "server"]
pytestmark = pytest.mark.cluster

MEMBERS = 4
KEYS = 40
LARGE = 3  # keys that are larger than one process
CLIENTS, CLIENTS_OF_LARGE = 2, 8


class Company:
    """The gateways, a shell at the first, and what the test makes there."""

    def __init__(self, gateways, shell):
        self.gateways = gateways
        self.shell = shell

    @property
    def doors(self):
        return [gateway.url for gateway in self.gateways]

    async def holders(self, turns):
        """Forty keys, whose limits allow so many turns each."""
        holders = []
        for number in range(KEYS):
            name = f"key{number:02}"
            limit = f"tokens {turns * TOKENS}/7d"
            told = await self.shell.run("keys", "create", name, "--limit", limit)
            clients = CLIENTS_OF_LARGE if number < LARGE else CLIENTS
            holders.append(Holder(name, key_in(told), clients, turns))
        return holders

    async def rows(self, *words):
        told = await self.shell.run(*words, "--json")
        return [json.loads(line) for line in told.splitlines()]

    async def counted(self):
        """What the counters say that each key used."""
        rows = await self.rows("keys", "list")
        return {row["name"]: row["usage"][0]["current_value"] for row in rows}

    async def logged(self):
        """What the log says of it."""
        rows = await self.rows("usage", "--by", "key")
        return {row["key"]: row["input_tokens"] + row["output_tokens"] for row in rows}


@pytest.fixture
def company(io_loop, make_gateway, database_url, upstream):
    more = {"DATABASE_URL": database_url}
    more["ENCRYPTION_KEY"] = Fernet.generate_key().decode()
    gateways = [make_gateway(f"member{number}", **more) for number in range(MEMBERS)]
    shell = Shell(gateways[0].folder, **more)

    async def start():
        for name in ("one", "two"):
            account = upstream.add_account(name)
            path = account.write_auth_file(gateways[0].folder / "auth")
            await shell.run("accounts", "import", path)
        for gateway in gateways:
            await gateway.start()

    io_loop.run_sync(start, timeout=60)
    return Company(gateways, shell)


async def exhaust(company, upstream, turns):
    holders = await company.holders(turns)
    load = Load(company.doors, holders)
    await load.run()
    sent = turns_by_name(upstream)
    for holder in holders:
        came = load.answers[holder.name]
        assert came == {"done": sent[holder.name], "429": holder.clients}, holder.name
        # Not one too few; too many at most those that ran when it was reached.
        assert turns <= sent[holder.name] < turns + holder.clients, holder.name
    used = {name: TOKENS * count for name, count in sent.items()}
    async with asyncio.timeout(PATIENCE):
        # Its last batches are on their way.
        while await company.logged() != used:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await company.counted() == used
    return sum(sent.values())


@pytest.mark.gen_test(timeout=90)
async def test_limits_hold_at_four_processes(company, upstream):
    assert await exhaust(company, upstream, 20) >= KEYS * 20


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=900)
async def test_limits_hold_for_twenty_thousand_turns(company, upstream):
    upstream._remember = 2 * 500 * KEYS
    assert await exhaust(company, upstream, 500) >= 20_000
