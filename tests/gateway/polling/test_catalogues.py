"""Catalogues are polled, merged and listed."""

import time

from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.health import AccountStatus
from gateway.polling.catalogues import read_codex, read_openai
from gateway.polling.client_version import NEWEST_KNOWN
from gateway.polling.usage import read_polled_usage
from gateway.protocol.facts import Catalogue
from gateway.upstream.api import ApiResponse
from tests.gateway.polling.accounts_api import (
    run,
)


class Key:
    def __init__(self, accounts=None, models=()):
        self.accounts = accounts
        self.models = models

    def allows(self, model):
        return not self.models or model in self.models


WORDS = (
    *("models", "data", "slug", "id", "plan_type", "rate_limit", "credits"),
    *("primary_window", "used_percent", "limit_window_seconds", "reset_at"),
)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(WORDS),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)


class Told(ApiResponse):
    """An answer with ready-made JSON."""

    def json(self):
        return self.body if isinstance(self.body, dict) else {}


def test_each_kind_of_account_is_asked_its_own_way():
    async def scenario(made):
        await made.catalogues.refresh_due()
        codex, own = sorted(made.upstream.requests, key=lambda one: one.path)
        assert codex.path == "/backend-api/codex/models"
        assert codex.query["client_version"] == str(NEWEST_KNOWN)
        assert codex.headers["chatgpt-account-id"] == "acc"
        assert codex.headers["authorization"] == "Bearer at"
        assert own.path == "/own/models"
        assert own.headers["authorization"] == "Bearer sk"
        assert "chatgpt-account-id" not in own.headers
        assert made.pool.accounts[1].serves("m1", 0)
        assert not made.pool.accounts[1].serves("gpt-x", 0)
        assert made.pool.accounts[2].serves("gpt-x", 0)
        # Nothing is due now.
        await made.catalogues.refresh_due()
        assert len(made.upstream.requests) == 2

    run(scenario)


def test_unchanged_and_failing_answers_keep_what_is_known():
    async def scenario(made):
        account = made.pool.accounts[1]
        await made.catalogues.refresh(account)
        first = account.catalogue
        await made.catalogues.refresh(account)
        assert made.upstream.requests[-1].headers["if-none-match"] == '"e1"'
        assert account.catalogue.entries is first.entries
        for made.upstream.status in (500, 404):
            await made.catalogues.refresh(account)
            assert account.catalogue.entries is first.entries
        assert account.health.status(time.time()) is AccountStatus.ACTIVE

    run(scenario)


def turn_of(version, **fields):
    row = {"status": "success", "response_id": "resp_1"}
    return {**row, "user_agent": f"codex_exec/{version} (Debian)", **fields}


def test_the_newest_client_whose_turn_was_completed_is_asked_as():
    async def scenario(made):
        for row in (
            turn_of("0.172.1"),
            turn_of("0.2.0"),
            turn_of("0.173.0", status="error"),
            turn_of("0.173.0", response_id=None),
            turn_of("0.173.0", user_agent="curl/0.173.0"),
        ):
            made.catalogues.note_exchange(row)
        await made.catalogues.refresh(made.pool.accounts[1])
        assert made.upstream.requests[-1].query_string == "client_version=0.172.1"

    run(scenario)


def test_a_newer_client_makes_the_catalogues_due():
    async def scenario(made):
        await made.catalogues.refresh_due()
        made.catalogues.note_exchange(turn_of("0.172.1"))
        await made.catalogues.refresh_due()
        made.catalogues.note_exchange(turn_of("0.172.1"))
        await made.catalogues.refresh_due()
        asked = [r.query.get("client_version") for r in made.upstream.requests]
        assert [a for a in asked if a] == [str(NEWEST_KNOWN), "0.172.1"]

    run(scenario)


def test_a_version_that_costs_models_leaves_the_catalogue_as_it_was():
    async def scenario(made):
        account = made.pool.accounts[1]
        await made.catalogues.refresh(account)
        first = account.catalogue
        made.catalogues.note_exchange(turn_of("0.172.1"))
        made.upstream.etag = '"e2"'
        made.upstream.models = made.upstream.models[:1]
        for _ in range(2):
            await made.catalogues.refresh(account)
            assert account.catalogue.models == first.models
        made.upstream.models = [{"slug": "m8"}, {"slug": "m9"}]
        await made.catalogues.refresh(account)
        assert account.catalogue.models == {"m8", "m9"}
        made.upstream.models = [{"slug": "m9"}]  # with a version that is known to do
        await made.catalogues.refresh(account)
        assert account.catalogue.models == {"m9"}

    run(scenario)


def test_a_catalogue_that_is_the_same_for_a_newer_version_may_shrink_then():
    async def scenario(made):
        account = made.pool.accounts[1]
        await made.catalogues.refresh(account)
        made.catalogues.note_exchange(turn_of("0.172.1"))
        await made.catalogues.refresh(account)  # by its ETag, it is
        made.upstream.etag = '"e2"'
        made.upstream.models = made.upstream.models[:1]
        await made.catalogues.refresh(account)
        assert account.catalogue.models == {"m1"}

    run(scenario)


def test_a_catalogue_that_no_version_is_asked_with_may_shrink():
    async def scenario(made):
        account = made.pool.accounts[2]
        made.upstream.own_models = [{"id": "gpt-x"}, {"id": "gpt-y"}]
        await made.catalogues.refresh(account)
        made.catalogues.note_exchange(turn_of("0.172.1"))
        made.upstream.own_models = [{"id": "gpt-x"}]
        await made.catalogues.refresh(account)
        assert account.catalogue.models == {"gpt-x"}

    run(scenario)


def test_listing_passes_entries_as_they_came_with_a_stable_etag():
    async def scenario(made):
        listing = made.catalogues.listing
        assert listing()[0] == []
        await made.catalogues.refresh_due()
        entries, etag = listing()
        assert entries == made.upstream.models
        assert listing() == (entries, etag)
        assert listing(codex=False)[0] == [*entries, {"slug": "gpt-x"}]
        assert listing(Key(models=("m2",)))[0] == entries[1:]
        assert listing(Key(models=("m2",)))[1] != etag
        assert listing(Key(accounts=frozenset({2})))[0] == []
        made.pool.accounts[1].health.pause()
        assert listing()[0] == []

    run(scenario)


def test_first_account_describes_a_model_that_several_have():
    async def scenario(made):
        first, second = made.pool.accounts.values()
        for account, word in ((second, "later"), (first, "first")):
            account.catalogue = Catalogue(
                frozenset({"m"}), ({"slug": "m", "by": word},), (word.encode(),)
            )
        assert made.catalogues.listing()[0] == [{"slug": "m", "by": "first"}]

    run(scenario)


def test_what_could_not_be_said_again_is_left_out_of_a_catalogue():
    entries = b'{"slug":"a"},{"slug":"b","x":' + b"[" * 600 + b"]" * 600 + b"}"
    body = b'{"models":[' + entries + b"]}"
    found = read_codex(ApiResponse(200, {"etag": "\udcff"}, body), 0.0)
    assert found.etag is None
    assert found.models == {"a"}
    assert found.entries == ({"slug": "a"},)


@given(json_values)
def test_any_answer_is_read(value):
    answer = Told(200, {}, value)
    read_polled_usage(answer, 1_700_000_000.0)
    for read in (read_codex, read_openai):
        found = read(answer, 0.0)
        assert found is None or found.models


def test_a_good_answer_that_lists_nothing_keeps_what_is_known():
    async def scenario(made):
        account = made.pool.accounts[1]
        await made.catalogues.refresh(account)
        first, made.upstream.etag = account.catalogue, '"e2"'
        for made.upstream.models in ([], None, "m1", [{"slug": ""}], [3], {"slug": 1}):
            await made.catalogues.refresh(account)
            assert account.catalogue is first
        made.upstream.models = [{"slug": "m3"}]
        await made.catalogues.refresh(account)
        assert account.catalogue.models == {"m3"}

    run(scenario)
