import asyncio
import copy
import dataclasses
import json
import os
import pickle
import stat
import subprocess
import sys
import traceback

import orjson
import pytest
from cryptography.fernet import Fernet

from gateway.secret import Secret
from gateway.store.encryption import SecretBox, UnusableKey
from gateway.store.key_rotation import Rotated, rotate_key
from gateway.store.models import AccountRow
from tests.gateway.store.store_rows import make_store

HIDDEN = "rt_hidden-value"


def test_a_secret_shows_itself_to_reveal_only():
    secret = Secret(HIDDEN)
    shown = f"{secret} {secret!r} {secret!s} {[secret]} %s {secret:>20}" % secret
    assert HIDDEN not in shown
    assert secret.reveal() == HIDDEN
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("dump", [pickle.dumps, json.dumps, orjson.dumps])
def test_a_secret_is_not_dumped(dump):
    with pytest.raises(TypeError) as caught:
        dump({"token": Secret(HIDDEN)})
    assert HIDDEN not in "".join(traceback.format_exception(caught.value))


def test_a_secret_in_a_dataclass_stays_hidden():
    @dataclasses.dataclass
    class Login:
        token: Secret

    login = Login(Secret(HIDDEN))
    assert HIDDEN not in repr(dataclasses.asdict(login))
    assert copy.deepcopy(login).token.reveal() == HIDDEN


def test_secrets_compare_by_value():
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")


def test_a_box_opens_what_it_sealed_and_its_text_shows_nothing(tmp_path):
    box = SecretBox.open(tmp_path)
    sealed = box.encrypt(HIDDEN)
    assert HIDDEN not in sealed
    assert SecretBox.open(tmp_path).decrypt(sealed) == HIDDEN
    assert box.file.read_text().strip() not in repr(box)


def test_the_key_file_is_private_and_made_once(tmp_path):
    file = SecretBox.open(tmp_path / "data").file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    before = file.read_bytes()
    SecretBox.open(tmp_path / "data")
    assert file.read_bytes() == before
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_processes_that_start_at_once_agree_on_one_key(tmp_path):
    program = (
        "import sys, pathlib; from gateway.store.encryption import SecretBox;"
        "sys.stdin.read(1);"
        "print(SecretBox.open(pathlib.Path(sys.argv[1])).encrypt('x'))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:  # all have imported and wait
        process.stdin.write("g")
        process.stdin.flush()
    sealed = [process.communicate()[0].strip() for process in processes]
    box = SecretBox.open(tmp_path)
    assert [box.decrypt(one) for one in sealed] == ["x"] * 4


def test_keys_from_the_environment_decrypt_and_the_first_encrypts(tmp_path):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = SecretBox.open(tmp_path, old).encrypt("x")
    both = SecretBox.open(tmp_path, f" {new} , {old}")
    assert both.decrypt(sealed) == "x"
    assert SecretBox.open(tmp_path, new).decrypt(both.reencrypt(sealed)) == "x"
    assert not (tmp_path / "encryption.key").exists()


@pytest.mark.parametrize("key", ["too-short", f"{HIDDEN},", "ä" * 44])
def test_a_bad_key_is_refused_without_showing_it(tmp_path, key):
    with pytest.raises(UnusableKey) as caught:
        SecretBox.open(tmp_path, key)
    assert key not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"nonsense"])
def test_a_damaged_key_file_is_refused_and_kept(tmp_path, content):
    (tmp_path / "encryption.key").write_bytes(content)
    with pytest.raises(UnusableKey):
        SecretBox.open(tmp_path)
    assert (tmp_path / "encryption.key").read_bytes() == content


def test_what_another_key_sealed_is_an_error_that_shows_nothing(tmp_path):
    box = SecretBox.open(tmp_path)
    foreign = SecretBox([Fernet.generate_key().decode()]).encrypt(HIDDEN)
    for sealed in (foreign, "", "no token", "ä"):
        with pytest.raises(UnusableKey):
            box.decrypt(sealed)


def test_a_new_key_of_another_process_is_used_at_once(tmp_path):
    running, command = SecretBox.open(tmp_path), SecretBox.open(tmp_path)
    command.add_key()
    command.drop_old_keys()
    assert command.decrypt(running.encrypt("x")) == "x"


def account(name, sealed):
    return AccountRow.create(name=name, kind="chatgpt", credentials=sealed).id


def test_rotation_reseals_all_accounts_and_forgets_the_old_key(tmp_path):
    async def scenario():
        store = make_store(tmp_path)
        box = store.secrets
        await store.start()
        old_key = box.file.read_text().strip()
        for name in ("one", "two"):
            await store.write(account, name, box.encrypt(name))
        foreign = SecretBox([Fernet.generate_key().decode()]).encrypt("three")
        await store.write(account, "three", foreign)
        assert await rotate_key(store, box) == Rotated(resealed=2, unreadable=1)
        rows = await store.read(
            lambda: {row.name: row.credentials for row in AccountRow.select()}
        )
        await store.stop()
        return old_key, rows, foreign

    old_key, rows, foreign = asyncio.run(scenario())
    box = SecretBox.open(tmp_path)
    assert [box.decrypt(rows[name]) for name in ("one", "two")] == ["one", "two"]
    assert rows["three"] == foreign
    assert old_key not in box.file.read_text()
    assert stat.S_IMODE(box.file.stat().st_mode) == 0o600
    with pytest.raises(UnusableKey):
        SecretBox([old_key]).decrypt(rows["one"])


@pytest.mark.parametrize("steps", [1, 2])
def test_a_rotation_cut_short_leaves_all_readable_and_the_next_one_tidies(
    tmp_path, steps
):
    """Cut after the new key was filed, and after the rows were sealed with it."""

    async def scenario():
        store = make_store(tmp_path)
        await store.start()
        sealed = store.secrets.encrypt("x")
        store.secrets.add_key()
        if steps == 2:
            sealed = store.secrets.reencrypt(sealed)
        await store.write(account, "one", sealed)
        restarted = SecretBox.open(tmp_path)
        assert restarted.decrypt(sealed) == "x"
        assert await rotate_key(store, restarted) == Rotated(1, 0)
        row = await store.read(AccountRow.get)
        await store.stop()
        return row.credentials

    sealed = asyncio.run(scenario())
    keys = (tmp_path / "encryption.key").read_text().split()
    assert len(keys) == 1
    assert SecretBox(keys).decrypt(sealed) == "x"


def test_only_one_rotation_runs_at_a_time(tmp_path):
    one, other = SecretBox.open(tmp_path), SecretBox.open(tmp_path)
    running = pytest.raises(UnusableKey, match="running")
    with one.rotating(), running, other.rotating():
        pass
    with other.rotating():
        pass


def test_a_single_key_from_the_environment_cannot_be_rotated_here(tmp_path):
    async def scenario(keys):
        store = make_store(tmp_path)
        box = SecretBox(keys)
        await store.start()
        await store.write(account, "one", SecretBox(keys[-1:]).encrypt("x"))
        try:
            return await rotate_key(store, box)
        finally:
            await store.write(lambda: AccountRow.delete().execute())
            await store.stop()

    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    with pytest.raises(UnusableKey, match="GATEWAY_ENCRYPTION_KEY"):
        asyncio.run(scenario([old]))
    assert asyncio.run(scenario([new, old])) == Rotated(1, 0)


def test_a_key_file_open_to_others_is_closed(tmp_path):
    file = SecretBox.open(tmp_path).file
    os.chmod(file, 0o644)
    SecretBox.open(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
