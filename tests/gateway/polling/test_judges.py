"""Judges ask what suspicions leave open, seldom, and decide by answers of their own."""

import asyncio
import time

import pytest

from gateway.accounts.account import Account
from gateway.accounts.health import AccountStatus
from gateway.accounts.shared.witnesses import Witness
from gateway.accounts.verdicts import Met
from gateway.polling import judges
from gateway.polling.judges import Question
from gateway.protocol.facts import Failure
from tests.gateway.polling.accounts_api import run

CHATGPT, API_KEY = 1, 2
DRAWN = {
    "a page": Failure("headers", "account", "no", status=403),
    "401": Failure("headers", "account", "no", status=401),
    "402": Failure("headers", "account", "no", status=402),
    "limit": Failure(
        "headers", "account", "no", 429, "usage_limit_reached", resets_at=4e9
    ),
    "deactivated": Failure("headers", "account", "no", 403, "account_deactivated"),
}


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(judges, "CALL_SPACING", 0.0)


def draw(made, account_id, failure, client=1):
    """A client's request meets the failure; its judge is asked."""
    account, now = made.pool.accounts[account_id], time.time()
    met = Met(account, failure, Witness(client, "c"), "m")
    made.pool.verdicts.meet(met, now)
    made.pool.observer.failure_met.publish(met)
    return account


async def judged(made, account_id, *, is_handshake=False):
    """Return once the judge has spoken."""
    docket = made.judges._docket(Question(account_id, is_handshake))
    async with asyncio.timeout(10):
        while docket.next_at == 0 or made.judges._flights:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("failure", DRAWN.values(), ids=DRAWN)
@pytest.mark.parametrize("account_id", [CHATGPT, API_KEY])
def test_the_judge_of_an_account_is_asked_by_a_call_of_our_own(failure, account_id):
    async def scenario(made):
        draw(made, account_id, failure)
        await judged(made, account_id)
        (request,) = made.upstream.requests
        path = "/backend-api/wham/usage" if account_id == CHATGPT else "/own/models"
        assert (request.method, request.path) == ("GET", path)
        assert request.headers["user-agent"] == "codex-gateway"

    run(scenario)


@pytest.mark.parametrize("status", [500, 429])
def test_an_answer_that_is_not_the_judges_decides_nothing(status):
    async def scenario(made):
        made.upstream.status = status
        account = draw(made, CHATGPT, DRAWN["401"])
        await judged(made, CHATGPT)
        assert account.health.status(time.time()) is AccountStatus.ACTIVE
        limited = draw(made, CHATGPT, DRAWN["limit"])
        assert not limited.health.limit.is_confirmed

    run(scenario)


def test_a_judge_contradicts_or_confirms_a_limit():
    async def scenario(made):
        now = time.time()
        account = draw(made, CHATGPT, DRAWN["limit"])
        assert account.health.until(now) == pytest.approx(4e9)
        await judged(made, CHATGPT)
        assert account.health.until(now) == pytest.approx(now + 60, abs=2)
        made.upstream.used = 100.0
        await made.usage.poll(account)
        assert account.health.limit.is_confirmed
        assert account.health.limit.by == "its usage"

    run(scenario)


def test_a_page_at_the_judge_is_the_way_s_and_marks_no_account():
    async def scenario(made):
        made.upstream.page = "<title>Just a moment...</title>"
        account = draw(made, CHATGPT, DRAWN["a page"])
        await judged(made, CHATGPT)
        assert account.health.status(time.time()) is AccountStatus.ACTIVE
        assert made.pool.verdicts.base(account).edge_until > time.time()
        made.upstream.page = None
        await made.usage.poll(account)
        assert made.pool.verdicts.base(account).edge_until == 0

    run(scenario)


def test_a_page_that_only_a_client_draws_is_its_own():
    async def scenario(made):
        account = draw(made, CHATGPT, DRAWN["a page"])
        await judged(made, CHATGPT)
        assert made.pool.verdicts.base(account).edge_until == 0

    run(scenario)


def test_a_known_code_at_the_judge_ends_the_login():
    async def scenario(made):
        made.upstream.error = {"code": "account_deactivated", "message": "no"}
        account = draw(made, CHATGPT, DRAWN["deactivated"])
        await judged(made, CHATGPT)
        assert account.health.login_reason == "account_deactivated"
        assert account.health.login_by == "its usage"

    run(scenario)


def test_sockets_are_judged_by_a_handshake_of_our_own():
    refused = Failure("handshake", "upstream", "no", status=426)

    async def scenario(made):
        account = draw(made, CHATGPT, refused)
        await judged(made, CHATGPT, is_handshake=True)
        assert made.pool.can_open_socket()
        made.upstream.has_sockets = False
        made.judges._dockets.clear()
        draw(made, CHATGPT, refused)
        await judged(made, CHATGPT, is_handshake=True)
        assert made.pool.verdicts.base(account).sockets_off_until > time.time()

    run(scenario)


def test_a_token_that_the_judge_accepts_is_not_renewed():
    async def scenario(made):
        account = made.pool.accounts[CHATGPT]
        used = account.credentials.access_token
        assert not await made.judges.renew(account, used)
        assert account.credentials.access_token == used
        # Nor is it asked again for a while, whoever comes.
        asked = [made.judges.renew(account, used) for _ in range(20)]
        assert not any(await asyncio.gather(*asked))
        assert len(made.upstream.requests) == 1

    run(scenario)


def test_who_meets_a_401_waits_until_the_judge_may_be_asked(monkeypatch):
    """What others drew led to an answer a moment ago; since then the token ended."""
    monkeypatch.setattr(judges, "FIRST_JUDGE_PAUSE", 0.3)

    async def scenario(made):
        account = made.pool.accounts[CHATGPT]
        used = account.credentials.access_token
        draw(made, CHATGPT, DRAWN["402"])
        await judged(made, CHATGPT)
        made.upstream.refused.add(used.reveal())
        asked = [made.judges.renew(account, used) for _ in range(9)]
        assert all(await asyncio.gather(*asked))
        assert len(made.upstream.requests) == 3

    run(scenario)


def test_who_waits_for_a_judge_takes_the_answer_that_came_meanwhile(monkeypatch):
    monkeypatch.setattr(judges, "FIRST_JUDGE_PAUSE", 0.3)

    async def scenario(made):
        account = made.pool.accounts[CHATGPT]
        used = account.credentials.access_token
        for _ in range(2):  # one that was met before has its answer
            assert not await made.judges.renew(account, used)
            assert len(made.upstream.requests) == 1
        asked = [made.judges.renew(account, used, waits=True) for _ in range(9)]
        assert not any(await asyncio.gather(*asked))
        assert len(made.upstream.requests) == 2

    run(scenario)


def test_what_others_drew_does_not_keep_a_401_from_its_judge():
    async def scenario(made):
        account = made.pool.accounts[CHATGPT]
        docket = made.judges._docket(Question(CHATGPT, is_handshake=False))
        docket.next_at = time.monotonic() + 300
        made.upstream.refused.add(account.credentials.access_token.reveal())
        assert await made.judges.renew(account, account.credentials.access_token)

    run(scenario)


def test_accounts_whose_new_tokens_are_refused_are_in_no_trouble_of_their_own():
    """Nor are they when they are asked about again with the same token."""

    async def scenario(made):
        made.upstream.refused |= {"at", "new-rt"}
        first = made.pool.accounts[CHATGPT]
        second = Account(id=9, name="c", credentials=first.credentials)
        made.pool.replace([*made.pool.accounts.values(), second])
        for _ in range(3):
            for account in (first, second):
                account.health.is_token_doubted = True
                await made.usage.poll(account)
        for account in (first, second):
            assert account.health.status(time.time()) is AccountStatus.ACTIVE

    run(scenario)


def test_a_token_that_the_judge_refuses_is_renewed_once_for_all_who_wait():
    async def scenario(made):
        account = made.pool.accounts[CHATGPT]
        used = account.credentials.access_token
        made.upstream.refused.add(used.reveal())
        asked = [made.judges.renew(account, used) for _ in range(20)]
        assert all(await asyncio.gather(*asked))
        assert account.credentials.access_token.reveal() == "new-rt"
        assert account.health.status(time.time()) is AccountStatus.ACTIVE
        assert [r.path for r in made.upstream.requests] == [
            "/backend-api/wham/usage"
        ] * 2

    run(scenario)


def test_while_the_judge_is_silent_the_token_is_renewed_all_the_same():
    async def scenario(made):
        account = made.pool.accounts[CHATGPT]
        made.upstream.status = 500
        assert await made.judges.renew(account, account.credentials.access_token)

    run(scenario)


def test_an_account_is_asked_about_ever_more_seldom_while_it_is_well():
    async def scenario(made):
        question, pauses = Question(CHATGPT, is_handshake=False), []
        for _ in range(8):
            pauses.append(made.judges._docket(question).pause)
            made.judges._docket(question).next_at = 0
            draw(made, CHATGPT, DRAWN["402"])
            await judged(made, CHATGPT)
        assert pauses == [5, 10, 20, 40, 80, 160, 300, 300]
        draw(made, CHATGPT, DRAWN["402"])
        draw(made, API_KEY, DRAWN["401"])
        await judged(made, API_KEY)  # the other account's question waits for its time
        assert len(made.upstream.requests) == 9

    run(scenario)


def test_a_login_that_an_earlier_release_took_for_ended_is_asked_about():
    async def scenario(made):
        account = made.pool.accounts[CHATGPT]
        account.health.require_login("account_deactivated")
        await made.upstream.asked(1)
        await judged(made, CHATGPT)
        assert account.health.is_in_service

    run(scenario)


def test_a_request_waits_for_judge_and_renewal_together_no_longer(monkeypatch):
    monkeypatch.setattr(judges, "ANSWER_SECONDS", 0.1)

    async def scenario(made):
        account = made.pool.accounts[CHATGPT]
        used = account.credentials.access_token
        made.upstream.status = 500
        made.upstream.gate.clear()
        async with asyncio.timeout(5):
            assert not await made.judges.renew(account, used)
        made.upstream.gate.set()  # what was begun goes on
        async with asyncio.timeout(5):
            while account.credentials.access_token == used:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    run(scenario)


def test_without_a_database_a_token_is_not_renewed_and_nothing_fails():
    async def scenario(made):
        account = made.pool.accounts[CHATGPT]
        made.upstream.status = 500
        made.store.is_down = True
        assert not await made.judges.renew(account, account.credentials.access_token)

    run(scenario)
