"""What is done to an account from its page, by whom, and what the page says."""

import pytest

from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse
from gateway.sign_in.users import Role
from gateway.store.models import now_ms
from gateway.store.users.tables import SessionRow
from tests.handlers.admin.operators import audit as all_changes
from tests.handlers.admin.test_resets import USED
from tests.handlers.api.test_side_calls import banked, script_resets
from tests.handlers.dashboard.browsing import signed_in
from tests.serving import MODEL

pytestmark = pytest.mark.gen_test(timeout=20)
LIST = "/dashboard/accounts"
SCRIPTS = 2  # of every page
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 1 }}{% x")


async def audit(serving):
    """What was changed, but for the sign-in."""
    return [one for one in await all_changes(serving) if one[1] != "session.begin"]


async def test_a_pause_says_who_made_it(serving):
    browser = await signed_in(serving, Role.OPERATOR)
    answered = await browser.post(f"{LIST}/one/pause", on=f"{LIST}/one")
    assert (answered.status, answered.headers["location"]) == (
        303,
        f"{LIST}/one?told=paused",
    )
    assert serving.account("one").health.paused
    page = await browser.follow(answered)
    assert "It gets no further request" in page.text
    assert "Paused by user:ada" in page.text
    assert "by user:ada" in (await browser.get(LIST)).text
    assert ("user:ada", "account.pause", "one") in await audit(serving)


async def test_a_resumed_account_says_what_its_judge_said(serving):
    browser = await signed_in(serving, Role.OPERATOR)
    await serving.pause("one")
    answered = await browser.post(f"{LIST}/one/resume", on=f"{LIST}/one")
    assert answered.headers["location"] == f"{LIST}/one?told=well"
    assert "its judge finds it well" in (await browser.follow(answered)).text
    serving.upstream.auth.expire("one")
    serving.upstream.auth.spent.add(serving.upstream.accounts["one"].refresh_token)
    answered = await browser.post(f"{LIST}/one/resume", on=f"{LIST}/one")
    assert "told=login" in answered.headers["location"]


async def test_a_resumed_account_that_is_limited_is_not_called_well(serving):
    serving.upstream.accounts["one"].primary_percent = 100
    browser = await signed_in(serving, Role.OPERATOR)
    answered = await browser.post(f"{LIST}/one/resume", on=f"{LIST}/one")
    page = await browser.follow(answered)
    assert "what still holds is below" in page.text
    assert "primary limit, says its usage" in page.text


async def test_a_probe_says_what_upstream_said(serving):
    browser = await signed_in(serving, Role.OPERATOR)
    page = await browser.post(f"{LIST}/one/probe", on=f"{LIST}/one")
    assert (page.status, "It answered with" in page.text) == (200, True)
    words = HOSTILE[0]
    refused = ScriptedResponse.json({"error": {"message": words}}, 400)
    serving.upstream.answer(refused)
    sent = {"model": MODEL}
    page = await browser.post(f"{LIST}/one/probe", sent, on=f"{LIST}/one")
    assert f"The probe failed with {MODEL}, status 400" in page.text
    assert words in page.text
    assert page.tags.count("script") == SCRIPTS


async def test_a_probe_without_a_model_to_take_says_so(serving):
    await serving.add_api_key_account()
    serving.upstream.answer(faults.unavailable(), route="models", times=None)
    browser = await signed_in(serving, Role.OPERATOR)
    page = await browser.post(f"{LIST}/paid/probe", on=f"{LIST}/paid")
    assert (page.status, "say which one" in page.text) == (400, True)
    assert ("class", "field-error") in page.attributes


async def test_settings_are_changed_and_mistakes_stand_at_their_field(serving):
    browser = await signed_in(serving, Role.OPERATOR)
    sent = {"name": "first", "priority": "7", "concurrency": "3", "residency": "EU"}
    answered = await browser.post(f"{LIST}/one", sent)
    assert answered.headers["location"] == f"{LIST}/first?told=changed"
    account = serving.account("first")
    assert (account.priority, account.cap, account.residency) == (7, 3, "eu")
    assert not account.websockets
    for field, value, words in (
        ("priority", "soon", "priority: give a whole number"),
        ("priority", "1e9", "give a whole number"),
        ("priority", "٣", "give a whole number"),
        ("priority", "200000", "200000 is out of range"),
        ("concurrency", "0", "0 is out of range"),
        ("residency", "not a region", "give a region"),
        ("name", "two", "There is an account 'two' already"),
        ("name", " ", "a name has 1 to 80"),
    ):
        page = await browser.post(f"{LIST}/first", {**sent, field: value})
        assert page.status in (400, 409)
        assert words in page.text
        assert ("aria-invalid", "true") in page.attributes
        assert ("checked", None) not in page.attributes  # as it was sent
    assert serving.account("first").priority == 7


async def test_what_was_so_before_is_no_change(serving):
    browser = await signed_in(serving, Role.OPERATOR)
    sent = {"name": "one", "priority": "0", "concurrency": "", "websockets": "on"}
    answered = await browser.post(f"{LIST}/one", {**sent, "residency": ""})
    assert answered.headers["location"] == f"{LIST}/one?told=same"
    assert await audit(serving) == []


async def test_an_account_goes_once_its_name_was_typed(serving):
    browser = await signed_in(serving, Role.OPERATOR)
    page = await browser.post(f"{LIST}/one/remove", {"typed": "two"})
    assert (page.status, serving.account("one") is None) == (400, False)
    assert "That is not its name" in page.text
    answered = await browser.post(f"{LIST}/one/remove", {"typed": "one"})
    assert answered.headers["location"] == LIST
    assert serving.account("one") is None
    assert (await browser.get(f"{LIST}/one")).status == 404


async def test_removal_needs_a_fresh_sign_in(serving):
    browser = await signed_in(serving, Role.OPERATOR)
    page = await browser.get(f"{LIST}/one/remove")
    old = SessionRow.update(signed_in_at=now_ms() - 3_600_000)
    await serving.gateway.store.write(old.execute)
    await serving.gateway.sign_in.load()
    confirm = "/dashboard/confirm?next=%2Fdashboard%2Faccounts%2Fone%2Fremove"
    path = f"{LIST}/one/remove"
    assert (await browser.get(path)).headers["location"] == confirm
    sent = {"typed": "one", "xsrf": page.fields["xsrf"]}
    late = await browser.post(path, sent)
    assert late.headers["location"] == f"{confirm}&unsent=1"
    assert "was not done" in (await browser.follow(late)).text
    assert serving.account("one") is not None


async def test_the_only_account_of_a_key_stays(serving):
    await serving.add_key("mine", accounts=["one"])
    browser = await signed_in(serving)
    page = await browser.post(f"{LIST}/one/remove", {"typed": "one"})
    assert page.status == 409
    assert "the only account of the keys mine" in page.text


async def test_a_banked_reset_is_looked_at_and_used(serving, upstream):
    script_resets(upstream, {"one": banked(2)}, [USED])
    serving.limit("one", 3600)
    browser = await signed_in(serving, Role.OPERATOR)
    page = await browser.get(f"{LIST}/one/resets")
    assert "2 resets banked" in page.text
    assert "2" in (await browser.get(LIST)).text
    used = await browser.post(f"{LIST}/one/resets")
    assert "its windows begin anew" in (await browser.follow(used)).text
    assert serving.account("one").health.limit is None
    assert ("user:ada", "account.use_reset", "one") in await audit(serving)


async def test_resets_that_upstream_does_not_tell_of_are_said(serving):
    await serving.add_api_key_account()
    browser = await signed_in(serving, Role.OPERATOR)
    page = await browser.get(f"{LIST}/paid/resets")
    assert "Only ChatGPT accounts have windows" in page.text


ACTIONS = ("", "/pause", "/resume", "/probe", "/login", "/resets", "/remove")


@pytest.mark.parametrize(
    ("role", "refused"), [(Role.VIEWER, ACTIONS), (Role.OPERATOR, ("/login",))]
)
async def test_a_role_may_do_its_own_and_no_more(serving, role, refused):
    browser = await signed_in(serving, role)
    for action in refused:
        page = await browser.post(f"{LIST}/one{action}", on=f"{LIST}/one")
        assert (page.status, "This needs the role" in page.text) == (403, True)
    assert await audit(serving) == []
