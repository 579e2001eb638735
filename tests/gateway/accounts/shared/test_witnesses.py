"""Who met the same failure: two clients agree, wherever they are."""

import pytest

from gateway.accounts.shared.witnesses import Scope, Sighting, Witness, Witnesses
from gateway.protocol.failure_kind import Blame

NOW = 1_800_000_000.0
ACCOUNT = Scope(Blame.ACCOUNT, 7)


def met(client, conversation="c", *, now=NOW, kind="", scope=ACCOUNT):
    return Sighting(scope, Witness(client, conversation), kind, now + 10)


def agree(witnesses, client, conversation="c", now=NOW, *, is_alone=False, kind=""):
    seen = met(client, conversation, now=now, kind=kind)
    return witnesses.agree(seen, now, is_alone=is_alone)


@pytest.fixture
def witnesses():
    return Witnesses()


@pytest.fixture
def shared(witnesses):
    witnesses.is_shared = True
    return witnesses


def test_two_clients_agree_and_one_never_does(witnesses):
    for number in range(9):
        assert not agree(witnesses, 1, f"c{number}")
    assert agree(witnesses, 2)
    assert not witnesses.news  # there is nobody to hear it


def test_where_there_is_one_client_two_conversations_agree(witnesses):
    assert not agree(witnesses, 1, "a", is_alone=True)
    assert not agree(witnesses, 1, "a", is_alone=True)
    assert agree(witnesses, 1, "b", is_alone=True)


def test_one_client_here_is_not_alone_where_there_are_other_processes(shared):
    assert not agree(shared, 1, "a", is_alone=True)
    assert not agree(shared, 1, "b", is_alone=True)


def test_what_is_old_or_was_followed_by_a_success_does_not_count(witnesses):
    agree(witnesses, 1)
    assert not agree(witnesses, 2, now=NOW + 11)
    witnesses.clear(ACCOUNT)
    assert not agree(witnesses, 1, now=NOW + 12)


def test_different_failures_do_not_agree(witnesses):
    for client, kind in ((1, "refused"), (2, "server_error"), (1, "server_error")):
        is_same = client == 1 and kind == "server_error"
        assert agree(witnesses, client, kind=kind) is is_same


def test_a_client_here_agrees_with_one_elsewhere(shared):
    assert list(shared.hear([met(1)], NOW)) == []
    assert not agree(shared, 1)  # the same key, at both
    assert agree(shared, 2)


def test_what_is_heard_after_it_was_met_here_convicts_once(shared):
    agree(shared, 2)
    assert list(shared.hear([met(1)], NOW)) == [met(1)]
    assert list(shared.hear([met(1)], NOW)) == []
    assert list(shared.hear([met(1, now=NOW + 3)], NOW + 3)) == [met(1, now=NOW + 3)]
    assert list(shared.hear([met(1)], NOW + 11)) == []


def test_two_clients_elsewhere_speak_for_all_here(shared):
    told = list(shared.hear([met(1), met(2)], NOW))
    assert {one.witness.client for one in told} == {1, 2}
    other = Scope(Blame.ACCOUNT, 8)
    assert not list(shared.hear([met(1), met(2, scope=other)], NOW))
    assert not list(shared.hear([met(1), met(2, kind="other")], NOW))


def test_a_success_here_ends_it_for_all(shared):
    agree(shared, 1)
    shared.clear(ACCOUNT, Scope(Blame.ACCOUNT, 8))
    assert list(shared.cleared) == [ACCOUNT]
    assert not shared.news
    # A row that was read before it was removed.
    assert not list(shared.hear([met(2), met(3)], NOW))
    shared.cleared.clear()
    assert not agree(shared, 4)


def test_what_others_have_removed_is_forgotten(shared):
    list(shared.hear([met(1)], NOW))
    list(shared.hear([], NOW))
    assert not agree(shared, 2)
