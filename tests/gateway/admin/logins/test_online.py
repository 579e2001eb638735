"""A device login that the running gateway carries on: what becomes of the account."""

import asyncio

import pytest

from gateway.admin.accounts import remove_account
from gateway.admin.logins.online import OnlineLogin
from gateway.monitoring.background import TooManyTasks

pytestmark = pytest.mark.gen_test(timeout=20)


@pytest.fixture
def auth(upstream):
    """The login server: nobody is let in before `approve`, and polls are quick."""
    upstream.auth.interval = 0.01
    upstream.auth.polls_before_approval = None
    return upstream.auth


async def begun(gateway, **about):
    login = gateway.background.start(OnlineLogin(gateway, "user:owner", **about))
    await login.wait_for_code()
    return login


async def ended(login):
    await asyncio.wait({login._task})
    return login


async def test_a_confirmed_code_ends_in_a_new_account(serving, auth):
    serving.upstream.add_account("third")
    login = await begun(serving.gateway, name="mine")
    assert login.code.verification_url == f"{auth.url}/codex/device"
    assert (login.is_running, login.saved) == (True, None)
    auth.approve(login.code.user_code, "third")
    await ended(login)
    assert (login.problem, login.saved.name, login.saved.is_new) == ("", "mine", True)
    assert serving.account("mine").email == "third@demo.example"


async def test_a_login_of_the_same_account_renews_it(serving, auth):
    one = serving.account("one")
    one.health.require_login("gone")
    login = await begun(serving.gateway, account=one)
    auth.approve(login.code.user_code, "one")
    await ended(login)
    assert (login.problem, login.saved.is_new) == ("", False)
    assert serving.account("one").health.login_reason is None


async def test_somebody_elses_login_changes_nothing(serving, auth):
    serving.upstream.add_account("third")
    before = serving.account("one").credentials
    login = await begun(serving.gateway, account=serving.account("one"))
    auth.approve(login.code.user_code, "third")
    await ended(login)
    assert "third@demo.example logged in, which is not 'one'" in login.problem
    assert serving.account("one").credentials is before
    assert len(serving.gateway.pool.accounts) == 2


async def test_an_account_that_is_gone_is_not_made_anew(serving, auth):
    login = await begun(serving.gateway, account=serving.account("one"))
    await serving.gateway.store.write(remove_account, "one", "test")
    await serving.gateway.reload()
    auth.approve(login.code.user_code, "one")
    await ended(login)
    assert (login.saved, "There is no account 'one'" in login.problem) == (None, True)
    assert serving.account("one") is None


async def test_a_code_that_is_not_given_out_is_said(serving, auth):
    await serving.upstream.stop()
    login = await begun(serving.gateway)
    await ended(login)
    assert login.code is None
    assert login.problem == "Upstream could not be reached"
    await serving.upstream.start()


async def test_a_few_run_at_once_and_a_cancelled_one_makes_room(serving, auth):
    logins = [await begun(serving.gateway) for _ in range(OnlineLogin.most)]
    with pytest.raises(TooManyTasks):
        await begun(serving.gateway)
    await logins[0].cancel()
    assert logins[0].problem == "It was cancelled"
    await begun(serving.gateway)


async def test_it_ends_with_the_gateway(serving, auth):
    login = await begun(serving.gateway)
    await serving.gateway.background.close()
    assert not login.is_running
