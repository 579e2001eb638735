"""What one process finds out of accounts, and another hears of."""

import time
from contextlib import nullcontext

import pytest

from gateway.accounts.account import BY_USAGE, Account, Credentials
from gateway.accounts.eligibility import Demand, Reason, check_eligibility
from gateway.accounts.health import TOKEN_ENDED, Mark
from gateway.accounts.pool import Pool
from gateway.accounts.shared.witnesses import Witness
from gateway.accounts.verdicts import Met
from gateway.polling.shared_accounts import SharedAccounts
from gateway.protocol.facts import Failure, Window
from gateway.repository.account_state import to_keep
from gateway.repository.accounts import encrypt_credentials
from gateway.repository.claims import Claims
from gateway.repository.persisting import Persisting
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.store.models import AccountRow
from gateway.store.shared.tables import ClaimRow, SightingRow

pytestmark = pytest.mark.gen_test
SETTINGS = Settings.from_env(dotenv="")
REFUSED, FAILED = (
    Failure(message="no", status=status, phase="headers", origin="upstream")
    for status in (401, 500)
)


@pytest.fixture
def member(store):
    """Makes processes by number, all with the account one."""

    def make(number, ahead=0.0):
        pool = Pool(SETTINGS)
        pool.accounts = {1: Account(id=1, name="one")}
        pool.verdicts.witnesses.is_shared = True
        claims = Claims(store)
        claims.member_id = number
        keep = Persisting(store, pool.bindings, lambda name: nullcontext())
        shared = SharedAccounts(store, pool, claims, lambda: time.time() + ahead, keep)
        shared.pool, shared.account = pool, pool.accounts[1]
        shared.changed = keep.changed
        return shared

    return make


def meet(shared, client, failure=REFUSED):
    met = Met(shared.account, failure, Witness(client, "c"), "m")
    shared.pool.verdicts.meet(met, time.time())


def is_marked(shared):
    return shared.account.health.current_mark(time.time()) is not None


@pytest.mark.parametrize("ahead", [0.0, -5.0, 5.0])
async def test_two_keys_at_two_processes_convict(member, ahead):
    one, two = member(1), member(2, ahead)
    meet(one, 1)
    await one.exchange()
    await two.exchange()
    assert not is_marked(two)
    meet(two, 2)
    assert is_marked(two)
    await two.exchange()
    await one.exchange()
    mark = one.account.health.current_mark(time.time())
    assert (mark.by, mark.is_suspicion) == ("two clients", True)


async def test_two_keys_at_two_processes_meet_trouble_of_upstream(member):
    one, two = member(1), member(2)
    for shared, client in ((one, 1), (two, 2)):
        meet(shared, client, FAILED)
        await shared.exchange()
    await one.exchange()
    for shared in (one, two):
        assert shared.pool.verdicts.is_troubled(shared.account, "m", time.time())


async def test_one_key_at_two_processes_does_not(member):
    one, two = member(1), member(2)
    for _ in range(2):
        for shared in (one, two):
            meet(shared, 1)
            await shared.exchange()
    assert not is_marked(one)
    assert not is_marked(two)


async def test_a_success_between_ends_it_everywhere(member, store):
    one, two, three = member(1), member(2), member(3)
    meet(one, 1)
    await one.exchange()
    await three.exchange()
    three.pool.verdicts.succeed(three.account, 3, "m")
    await three.exchange()
    await two.exchange()
    meet(two, 2)
    assert not is_marked(two)
    assert not await store.read(SightingRow.select().count)


async def test_rows_end_by_themselves(member, store):
    one, two = member(1), member(2, ahead=70)
    meet(one, 1)
    await one.exchange()
    meet(two, 2)
    await two.exchange()
    rows = await store.read(lambda: [row.member_id for row in SightingRow.select()])
    assert set(rows) == {2}


async def store_account(store):
    held = Credentials(access_token=Secret("at"))
    sealed = encrypt_credentials(held, store.secrets)
    row = {"name": "one", "kind": "chatgpt", "credentials": sealed}
    await store.write(lambda: AccountRow.create(force_insert=True, id=1, **row))


async def test_what_is_not_stored_yet_is_not_taken_back(store, member):
    one, two = member(1), member(2)
    await store_account(store)
    await one.look()
    one.account.health.require_login(TOKEN_ENDED, BY_USAGE, time.time())
    one.changed.add(one.account)
    for shared in (one, two):
        await shared.look()
        assert shared.account.health.login_reason == TOKEN_ENDED


async def test_windows_and_limits_that_another_saw_later_are_taken(store, member):
    one, two, now = member(1), member(2), time.time()
    await store_account(store)

    async def polled(shared, used, at):
        shared.account.record_windows([Window("primary", used, 300, now + 9_000)], at)
        store.writer.save_state(1, to_keep(shared.account, at))
        await store.flush()

    def seen(shared):
        status = shared.account.health.status(now)
        return shared.account.windows["primary"].window.used_percent, status.value

    await polled(one, 100, now - 600)
    await two.look()
    assert seen(two) == (100, "limited")
    two.account.health.lift_limit()
    await polled(two, 3, now - 10)
    await one.look()
    assert seen(one) == (3, "active")
    # What is older than what is known is not taken back.
    await polled(member(3), 100, now - 30)
    await one.look()
    assert seen(one) == (3, "active")


def is_tried_elsewhere(shared, at):
    demand = Demand(key_id=9, model="m")
    why = check_eligibility(shared.account, demand, shared.pool.verdicts, at)
    return why is not None and why.reason is Reason.ON_TRIAL


async def test_an_account_that_may_be_well_again_is_tried_by_one_process(member):
    one, two, now = member(1), member(2), time.time()
    for shared in (one, two):
        mark = Mark("connect", "us", "no", now - 10, now + 1, is_suspicion=True)
        shared.account.health.set_mark(mark)
        await shared.claim_trials()  # before a request may begin it
    after = now + 2
    assert not is_tried_elsewhere(one, after)
    assert is_tried_elsewhere(two, after)
    assert is_tried_elsewhere(two, now + 10)
    assert not is_tried_elsewhere(two, now + 12)  # none waits for ever
    one.account.health.succeed(after)
    await one.claim_trials()
    two.account.health.trial_running = False
    await two.claim_trials()
    assert not is_tried_elsewhere(two, after)  # it has the claim now


async def test_a_trial_is_claimed_no_sooner_than_it_may_begin(member, store):
    one, now = member(1), time.time()
    mark = Mark("connect", "us", "no", now, now + 60)
    one.account.health.set_mark(mark)
    await one.claim_trials()
    assert not await store.read(ClaimRow.select().count)
    one.account.health.pause()
    one.account.health.mark = None
    await one.claim_trials()
    assert not await store.read(ClaimRow.select().count)
    one.account.health.paused = False
    for _ in range(2):
        await one.claim_trials()
    assert await store.read(ClaimRow.select().count) == 1
    assert not is_tried_elsewhere(one, now)
