"""A shell that knows a data directory only, where a gateway's lock file is."""

import asyncio
import shutil

import pytest

from gateway.process.admin_token import FILE, admin_token
from gateway.process.lockfile import lock_data_dir
from gateway.store.identity import place_of
from tests.gateway.cli.commands import Commands


class Shell:
    """Runs commands in a thread beside the gateway; its folder has no database."""

    def __init__(self, folder, serving):
        self.commands = Commands(folder)
        self.data_dir = self.commands.data_dir
        self.url = serving.base_url
        self.token = admin_token(serving.settings.data_dir).reveal()
        self.database = place_of(serving.settings.database_url)
        self.running = serving.server.running
        self.data_dir.mkdir(parents=True)
        shutil.copy(serving.settings.data_dir / FILE, self.data_dir)

    async def __call__(self, *words, **env):
        return await asyncio.to_thread(self.commands, *words, **env)

    async def good(self, *words, **env):
        done = await self(*words, **env)
        assert done.status == 0, done.err
        return done


@pytest.fixture
def shell(serving, tmp_path):
    made = Shell(tmp_path / "shell", serving)
    with lock_data_dir(made.data_dir) as lock:
        lock.publish(made.running)
        yield made
    # Nothing was read from, or written to, a database of its own.
    assert not (made.data_dir / "gateway.db").exists()
