"""The admin token of all members of a database, and the encryption key they share."""

import asyncio
import logging
from types import SimpleNamespace

import pytest
from cryptography.fernet import Fernet

from gateway.process.admin_token import FILE, AdminToken, admin_token
from gateway.repository.revision import current_revision
from gateway.secret import Secret
from gateway.store.encryption import SecretBox, UnusableKey
from gateway.store.key_rotation import rotate_key
from gateway.store.models import AccountRow, SettingRow
from tests.gateway.store.store_rows import make_store

GIVEN = Secret("0123456789abcdef" * 2)
KEY, OTHER = (Fernet.generate_key().decode() for _ in range(2))


def with_store(tmp_path, scenario):
    """Run it with a database's store, and what makes a member of it."""

    async def run():
        store = make_store(tmp_path)

        def member(name, given=None, keys=(KEY,)):
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            settings = SimpleNamespace(data_dir=folder, admin_token=given)
            return AdminToken(store, SecretBox(keys), settings)

        await store.start()
        try:
            return await scenario(store, member)
        finally:
            await store.stop()

    return asyncio.run(run())


def test_all_members_take_the_first_one_s_token_into_their_files(tmp_path):
    async def scenario(store, member):
        first, second = member("first"), member("second")
        own = admin_token(tmp_path / "first")
        admin_token(tmp_path / "second")  # a command was run there before
        await first.start()
        await second.start()
        assert first.value == second.value == own
        assert admin_token(tmp_path / "second") == own
        sealed = await store.read(lambda: [row.value for row in SettingRow])
        assert not [one for one in sealed if own.reveal() in one]
        return (tmp_path / "second" / FILE).stat().st_mode & 0o777

    assert with_store(tmp_path, scenario) == 0o600


def test_a_token_that_a_member_is_given_becomes_everybody_s(tmp_path):
    async def scenario(store, member):
        old = member("old")
        await old.start()
        before = await store.read(current_revision)
        await member("new", GIVEN).start()
        assert await store.read(current_revision) > before  # so that the others load
        await old.load()
        assert old.value == GIVEN == admin_token(tmp_path / "old")
        await member("old").start()
        return await store.read(current_revision) - before

    assert with_store(tmp_path, scenario) == 1


def test_a_token_that_can_be_guessed_is_refused(tmp_path):
    async def scenario(_, member):
        with pytest.raises(UnusableKey, match="32 characters") as refused:
            await member("one", Secret("short")).start()
        assert "short" not in str(refused.value).replace("shorter", "")

    with_store(tmp_path, scenario)


def test_a_file_that_cannot_be_written_costs_only_commands(tmp_path, caplog):
    async def scenario(_, member):
        await member("first").start()
        second = member("second")
        (tmp_path / "second" / FILE).mkdir()
        with pytest.raises(UnusableKey, match="directory"):
            await second.start()
        first = member("first")
        await first.start()
        (tmp_path / "first" / FILE).unlink()
        (tmp_path / "first" / FILE).mkdir()
        await member("third", GIVEN).start()
        with caplog.at_level(logging.WARNING):
            await first.load()
        assert first.value == GIVEN
        assert "old admin token" in caplog.text

    with_store(tmp_path, scenario)


def test_a_member_without_any_of_the_keys_is_refused_and_one_with_one_is_not(tmp_path):
    async def scenario(_, member):
        await member("first").start()
        with pytest.raises(UnusableKey, match="rotate-key"):
            await member("second", keys=[OTHER]).start()
        await member("second", keys=[OTHER, KEY]).start()

    with_store(tmp_path, scenario)


def test_a_key_that_opens_nothing_there_is_does_not_become_the_database_s(tmp_path):
    """Accounts of an earlier release, and a start with a wrong key before the right."""

    async def scenario(store, member):
        sealed = SecretBox([KEY]).encrypt("{}")
        row = {"name": "one", "kind": "chatgpt", "credentials": sealed}
        await store.write(lambda: AccountRow.create(**row))
        await member("one", keys=[OTHER]).start()
        await member("one").start()
        with pytest.raises(UnusableKey):
            await member("one", keys=[OTHER]).start()

    with_store(tmp_path, scenario)


@pytest.mark.parametrize("is_file", [True, False])
def test_a_lost_key_is_given_up_by_a_rotation(tmp_path, is_file):
    async def scenario(store, member):
        await member("one").start()
        box = SecretBox.open(tmp_path / "one", "" if is_file else OTHER)
        await rotate_key(store, box)
        await member("one", keys=box._keys).start()
        with pytest.raises(UnusableKey):
            await member("one").start()
        await rotate_key(store, box) if is_file else None
        await member("one", keys=box._keys).start()

    with_store(tmp_path, scenario)
