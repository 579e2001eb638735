"""Where several processes serve, a conversation's account is told before its end is."""

import pytest

from gateway.demo.events import ScriptedTurn
from gateway.repository.shared import bindings as shared_bindings
from gateway.store.models import BindingRow, now_ms
from gateway.store.shared.tables import MemberRow
from tests.serving import V1, accounts, payload, turn_on

SESSION = {"session-id": "s-1"}
ONE_NAME = {key: value for key, value in payload().items() if key[0:6] != "prompt"}
REASONING = ScriptedTurn().reasoning("so", "gAAAA-sealed").text("two three").completed()


def join():
    """Another process, which no beat of it is expected from yet."""
    MemberRow.create(
        directory="d", place="p", version="1", state="serving", started_at=now_ms()
    )


@pytest.fixture
def shared(serving, io_loop):
    async def begin():
        await serving.gateway.store.write(join)
        await serving.gateway.membership.look()
        assert not serving.gateway.membership.is_alone

    io_loop.run_sync(begin)
    return serving


async def bound(serving):
    """The accounts that the database has for conversations now."""

    def read():
        return [row.account_id for row in BindingRow.select()]

    ids = await serving.gateway.store.read(read)
    return {name for name in ("one", "two") if serving.account(name).id in ids}


async def over_http(serving):
    """What is bound when the turn's last event is there; its whole answer."""
    async with serving.stream(body=ONE_NAME, headers=SESSION) as response:
        body = b""
        while b"event: response.completed" not in body:
            body += await response.content.readany()
        return await bound(serving), body + await response.content.read()


async def over_a_socket(serving):
    async with serving.socket(headers=SESSION) as ws:
        events = await turn_on(ws, ONE_NAME)
        return await bound(serving), events


async def as_a_document(serving):
    answered = await serving.ask(V1, {**ONE_NAME, "stream": False}, headers=SESSION)
    return await bound(serving), answered


PROXY_HEADERS = "x-forwarded-for", "forwarded", "x-real-ip", "via"
KINDS_OF_TURNS = {
    "http": over_http,
    "websocket": over_a_socket,
    "folded": as_a_document,
}
each_kind = pytest.mark.parametrize("turn", KINDS_OF_TURNS.values(), ids=KINDS_OF_TURNS)


@each_kind
@pytest.mark.gen_test
async def test_a_new_conversation_is_stored_before_its_first_turn_s_end_leaves(
    shared, turn
):
    there, _ = await turn(shared)
    assert there == {"one"}


@each_kind
@pytest.mark.gen_test
async def test_one_that_leaves_its_account_for_good_is(shared, turn):
    await turn(shared)
    shared.limit("one", 3_600)
    there, _ = await turn(shared)
    assert there == {"two"}


@each_kind
@pytest.mark.gen_test
async def test_one_that_stays_where_its_encrypted_items_were_made_is(
    shared, upstream, turn
):
    await turn(shared)
    shared.limit("one", 30)  # for which it would return
    upstream.answer(REASONING.answer(), account="two", times=None)
    there, _ = await turn(shared)
    assert there == {"two"}


@pytest.mark.gen_test
async def test_nothing_of_the_answer_is_lost_or_changed_by_it(shared, upstream):
    upstream.answer(REASONING.answer(), times=None)
    _, moving = await over_http(shared)
    _, settled = await over_http(shared)
    assert moving == settled
    first, again = [await over_a_socket(shared) for _ in range(2)]
    assert [event["type"] for event in first[1]] == [one["type"] for one in again[1]]


@pytest.mark.gen_test
async def test_alone_the_end_waits_for_no_database(serving):
    there, _ = await over_http(serving)
    assert there == set()


@pytest.mark.gen_test
async def test_a_turn_goes_where_another_process_has_moved_its_conversation(
    shared, upstream, monkeypatch
):
    monkeypatch.setattr(shared_bindings, "UNCHANGED_SECONDS", 0.0)
    await over_a_socket(shared)
    two = shared.account("two").id
    await shared.gateway.store.write(BindingRow.update(account_id=two).execute)
    await over_a_socket(shared)
    assert accounts(upstream) == ["one", "two"]


@pytest.mark.parametrize(
    ("said", "second"),
    [({}, "one"), *(({name: "192.0.2.1"}, "two") for name in PROXY_HEADERS)],
)
@pytest.mark.gen_test
async def test_a_client_s_own_connection_is_believed_and_a_proxy_s_is_not(
    shared, monkeypatch, said, second
):
    """What a proxy keeps open carries other clients' requests, and others' theirs."""
    monkeypatch.setattr(shared_bindings, "UNCHANGED_SECONDS", 0.0)
    headers = {**SESSION, **said, "x-api-key": await shared.add_key()}
    for _ in range(2):  # the second one is the conversation's first to be looked for
        await shared.ask(body=ONE_NAME, headers=headers)
    two = shared.account("two").id
    await shared.gateway.store.write(BindingRow.update(account_id=two).execute)
    await shared.ask(body=ONE_NAME, headers=headers)
    rows = await shared.rows(3)
    names = {shared.account(name).id: name for name in ("one", "two")}
    assert [names[row["account_id"]] for row in rows] == ["one", "one", second]
