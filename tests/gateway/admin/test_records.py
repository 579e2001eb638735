"""Rows become the objects requests read, and credentials come back as they went."""

import asyncio
import json
import time

import pytest

from gateway.accounts.account import Account, AccountKind, Credentials
from gateway.accounts.health import AccountStatus
from gateway.admin.accounts import save_login
from gateway.admin.errors import Unacceptable
from gateway.admin.strategy import set_strategy
from gateway.keys.key import Measure
from gateway.repository import accounts, options
from gateway.repository.account_state import to_keep
from gateway.repository.keys import load_keys
from gateway.repository.revision import current_revision
from gateway.repository.row_ids import fresh_id
from gateway.secret import Secret
from gateway.store import models
from gateway.store.encryption import SecretBox
from gateway.store.store import Store
from gateway.store.write_queue import StoredHealth
from gateway.upstream.logins.auth_json import Login


@pytest.fixture
def secrets(tmp_path):
    return SecretBox.open(tmp_path)


def run(tmp_path, secrets, scenario):
    """Run `await scenario(store)` on a fresh database."""

    async def inner():
        store = Store(f"sqlite:///{tmp_path}/gateway.db", secrets=secrets)
        await store.start()
        try:
            return await scenario(store)
        finally:
            await store.stop()

    return asyncio.run(inner())


def login(secrets, **columns):
    return models.AccountRow.create(
        **{
            "name": "me@example.com",
            "kind": "chatgpt",
            "chatgpt_account_id": "acc",
            "credentials": accounts.encrypt_credentials(
                Credentials(Secret("at"), Secret("rt"), Secret("it")), secrets
            ),
            "expires_at": 2_000_000_500,
            **columns,
        }
    )


def test_an_account_comes_back_with_its_credentials_and_none_of_them_in_clear(
    tmp_path, secrets
):
    async def scenario(store):
        row = await store.write(login, secrets)
        assert "rt" not in json.loads('["' + row.credentials + '"]')
        return (await store.read(accounts.load_accounts, secrets))[0]

    account = run(tmp_path, secrets, scenario)
    assert isinstance(account, Account)
    assert account.kind is AccountKind.CHATGPT
    assert account.credentials == Credentials(
        Secret("at"), Secret("rt"), Secret("it"), expires_at=2_000_000.5
    )
    assert account.health.status(time.time()) is AccountStatus.ACTIVE


def test_a_stored_limit_holds_after_a_restart_also_while_paused(tmp_path, secrets):
    until = time.time() + 1000
    detail = {
        "limit": {"window": "primary", "since": until - 2000, "until": until},
        "windows": [{"name": "primary", "used_percent": 100, "seen_at": 5}],
    }

    async def scenario(store):
        await store.write(
            lambda: login(secrets, state_detail=json.dumps(detail), is_paused=True)
        )
        return (await store.read(accounts.load_accounts, secrets))[0]

    state = run(tmp_path, secrets, scenario).health
    assert state.status(time.time()) is AccountStatus.PAUSED
    state.resume()
    assert state.status(time.time()) is AccountStatus.LIMITED
    assert state.until(time.time()) == until


def test_a_state_that_is_written_late_does_not_undo_a_new_login(tmp_path, secrets):
    """It may be on its way to the database while the login is imported."""

    def imported():
        tokens = Credentials(Secret("at2"), Secret("rt2"), expires_at=2_000_001.0)
        return save_login(Login(tokens, "acc"), secrets, "test")

    async def scenario(store):
        row = await store.write(login, secrets)
        (held,) = await store.read(accounts.load_accounts, secrets)
        held.health.require_login("refresh_token_reused")
        late = to_keep(held, time.time())
        store.writer.save_state(row.id, late)
        assert not (await store.write(imported)).is_new
        store.writer.save_state(row.id, late)
        await store.flush()
        (stored,) = await store.read(accounts.load_accounts, secrets)
        return held, stored

    held, stored = run(tmp_path, secrets, scenario)
    assert stored.health.status(time.time()) is AccountStatus.ACTIVE
    held.update(stored)
    assert held.health.status(time.time()) is AccountStatus.ACTIVE
    assert held.credentials.bearer == Secret("at2")


def test_an_account_whose_key_is_lost_needs_a_login_and_the_others_still_load(
    tmp_path, secrets
):
    async def scenario(store):
        other = SecretBox([secrets_key()])
        await store.write(lambda: login(other))
        await store.write(
            lambda: login(secrets, name="good", chatgpt_account_id="acc2")
        )
        return await store.read(accounts.load_accounts, secrets)

    lost, good = run(tmp_path, secrets, scenario)
    assert lost.health.status(time.time()) is AccountStatus.REAUTH_REQUIRED
    assert "decrypted" in lost.health.why(time.time())
    assert good.credentials.bearer == Secret("at")


def secrets_key():
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def test_a_key_comes_back_with_its_limits(tmp_path, secrets):
    def make():
        key = models.ApiKeyRow.create(
            name="laptop",
            prefix="sk-cgw-abc",
            digest="d" * 64,
            models='["gpt-5*"]',
            accounts="[3, 4]",
            expires_at=1_900_000_000_000,
            created_at=1_700_000_000_999,
        )
        models.ApiKeyLimitRow.create(
            api_key=key, measure="cost", window="7d", maximum=5_000_000, model="gpt-5*"
        )
        models.ApiKeyRow.create(name="plain", prefix="sk-cgw-xyz", digest="e" * 64)

    async def scenario(store):
        await store.write(make)
        return await store.read(load_keys)

    laptop, plain = run(tmp_path, secrets, scenario)
    assert (laptop.created_at, laptop.expires_at) == (1_700_000_000, 1_900_000_000.0)
    assert laptop.models == ("gpt-5*",)
    assert laptop.accounts == {3, 4}
    assert [str(limit) for limit in laptop.limits] == ["cost 5/7d model=gpt-5*"]
    assert laptop.limits[0].measure is Measure.COST
    assert plain.accounts is None
    assert not plain.is_restricted


def test_one_owner_at_a_time_holds_the_claim_until_it_ends(tmp_path, secrets):
    async def scenario(store):
        held = accounts.AccountStore(store, secrets)
        assert await held.claim(7, "a", 60)
        assert await held.claim(7, "a", 60)
        assert not await held.claim(7, "b", 60)
        await held.release_claim(7, "b")
        assert not await held.claim(7, "b", 60)
        await held.release_claim(7, "a")
        assert await held.claim(7, "b", -1)
        assert await held.claim(7, "c", 60)  # b's time is over

    run(tmp_path, secrets, scenario)


def test_saved_credentials_are_in_the_database_when_the_call_returns(tmp_path, secrets):
    async def scenario(store):
        row = await store.write(login, secrets)
        held = accounts.AccountStore(store, secrets)
        rotated = Credentials(Secret("at2"), Secret("rt2"), None, expires_at=12.5)
        first = await held.load_credentials(row.id)
        assert await held.save_credentials(row.id, rotated, first) == rotated
        assert await held.load_credentials(row.id) == rotated
        assert await held.load_credentials(99) is None

    run(tmp_path, secrets, scenario)


def test_credentials_that_another_process_saved_meanwhile_stay(tmp_path, secrets):
    async def scenario(store):
        row = await store.write(login, secrets)
        held = accounts.AccountStore(store, secrets)
        first = await held.load_credentials(row.id)
        theirs, late = (Credentials(Secret(f"at{n}"), Secret(f"rt{n}")) for n in "23")
        await held.save_credentials(row.id, theirs, first)
        assert await held.save_credentials(row.id, late, first) == theirs
        assert await held.load_credentials(row.id) == theirs

    run(tmp_path, secrets, scenario)


def test_a_late_renewal_is_told_to_who_took_the_login_for_ended(tmp_path, secrets):
    async def scenario(store):
        row = await store.write(login, secrets)
        held = accounts.AccountStore(store, secrets)
        first = await held.load_credentials(row.id)
        second, third = (Credentials(Secret(f"at{n}"), Secret(f"rt{n}")) for n in "23")
        before = await store.read(current_revision)
        await held.save_credentials(row.id, second, first)
        assert await store.read(current_revision) == before
        store.writer.save_state(row.id, StoredHealth("reauth_required"))
        await store.flush()
        await held.save_credentials(row.id, third, second)
        assert await store.read(current_revision) > before

    run(tmp_path, secrets, scenario)


def test_numbers_of_removed_rows_are_not_given_out_again(tmp_path, secrets):
    def make():
        first = fresh_id(models.ApiKeyRow)
        models.ApiKeyRow.create(
            id=first, name="a", prefix="p", digest="1", force_insert=True
        )
        models.ApiKeyRow.delete_by_id(first)
        return first, fresh_id(models.ApiKeyRow)

    async def scenario(store):
        return await store.write(make)

    assert run(tmp_path, secrets, scenario) == (1, 2)


def test_the_strategy_is_what_was_set_last_and_sane_without(tmp_path, secrets):
    async def scenario(store):
        assert await store.read(options.load_strategy) == "capacity_weighted"
        await store.write(set_strategy, "fill_first", "cli:me")
        await store.write(set_strategy, "round_robin", "cli:me")
        assert await store.read(options.load_strategy) == "round_robin"
        with pytest.raises(Unacceptable):
            await store.write(set_strategy, "lottery", "cli:me")
        rows = await store.read(lambda: list(models.AuditLog.select()))
        assert [json.loads(row.detail)["after"] for row in rows] == [
            "fill_first",
            "round_robin",
        ]

    run(tmp_path, secrets, scenario)


def test_a_second_login_leaves_what_it_does_not_say(tmp_path, secrets):
    def imported(**about):
        tokens = Credentials(Secret("at"), Secret("rt"), expires_at=2_000_000.0)
        return save_login(Login(tokens, "acc", **about), secrets, "test")

    async def scenario(store):
        seen = []
        for about in (
            {"email": "a@example.com", "plan": "pro"},
            {},
            {"email": "b@example.com", "plan": "plus"},
        ):
            await store.write(lambda about=about: imported(**about))
            (account,) = await store.read(accounts.load_accounts, secrets)
            seen.append((account.name, account.email, account.plan))
        return seen

    assert run(tmp_path, secrets, scenario) == [
        ("a@example.com", "a@example.com", "pro"),
        ("a@example.com", "a@example.com", "pro"),
        ("a@example.com", "b@example.com", "plus"),
    ]
