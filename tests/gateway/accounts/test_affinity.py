"""Bindings: scoped, bounded, and the same after a restart."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.affinity import MAX_AGE, Bindings
from gateway.protocol.facts import Affinity, scoped

NOW = 1_800_000_000.0


def keys(key_id=None, **names):
    return Affinity(**names).conversation_keys(key_id)


def answered(bindings, scope, account_id, now=NOW):
    """A conversation whose first request was answered."""
    conversation = bindings.begin(scope, account_id, now)
    bindings.confirm(scope, conversation, account_id, now)
    conversation.answered_by = account_id
    return conversation


def test_both_spellings_of_the_headers_are_read():
    hyphens = Affinity.from_request({"session-id": "s", "thread-id": "t"})
    underscores = Affinity.from_request({"session_id": "s", "thread_id": "t"})
    assert hyphens == underscores == Affinity(session_id="s", thread_id="t")
    full = Affinity.from_request({"x-codex-turn-state": "x"}, "resp", "cache")
    assert full == Affinity("resp", "x", None, None, "cache")


def test_blank_values_name_nothing():
    blank = Affinity.from_request({"session-id": ""}, "", "")
    assert blank == Affinity()
    assert blank.conversation_keys(1) == ()


def test_session_goes_before_thread_before_cache_key():
    bindings = Bindings()
    answered(bindings, keys(prompt_cache_key="c"), 1)
    answered(bindings, keys(thread_id="t"), 2)
    answered(bindings, keys(session_id="s"), 3)
    every = {"session_id": "s", "thread_id": "t", "prompt_cache_key": "c"}
    for removed, account_id in (("", 3), ("session_id", 2), ("thread_id", 1)):
        every.pop(removed, None)
        found, _ = bindings.conversation(keys(**every), NOW)
        assert found.home == account_id


def test_all_names_of_a_request_lead_to_its_conversation():
    bindings = Bindings()
    conversation = answered(bindings, keys(session_id="s"), 1)
    bindings.confirm(keys(session_id="s", thread_id="t"), conversation, 1, NOW)
    found, kind = bindings.conversation(keys(thread_id="t"), NOW)
    assert found is conversation
    assert kind == "thread"


def test_bindings_hold_for_seven_days():
    bindings, week = Bindings(), 7 * 86_400
    bindings.set_owner(1, "response", "resp", 2, NOW)
    answered(bindings, keys(session_id="s"), 2)
    assert bindings.owner(1, "response", "resp", NOW + week) == 2
    assert bindings.conversation(keys(session_id="s"), NOW + week)[0]
    assert bindings.owner(1, "response", "resp", NOW + week + 1) is None
    assert not bindings.conversation(keys(session_id="s"), NOW + week + 1)[0]


def test_names_are_scoped_by_key():
    bindings = Bindings()
    answered(bindings, keys(1, session_id="s"), 1)
    bindings.set_owner(1, "response", "r", 1, NOW)
    assert bindings.conversation(keys(2, session_id="s"), NOW) == (None, "")
    assert bindings.owner(2, "response", "r", NOW) is None
    assert bindings.owner(1, "response", "r", NOW) == 1


@given(
    st.none() | st.integers(1, 99),
    st.sampled_from(["response", "turn", "session", "thread", "cache"]),
    st.text(),
)
def test_scoped_keys_fit_their_column_whatever_the_client_sent(key_id, kind, value):
    assert len(scoped(key_id, kind, value)) <= 60
    assert scoped(key_id, kind, value) != scoped(100, kind, value)


def test_bindings_end_after_seven_days():
    bindings = Bindings()
    answered(bindings, keys(session_id="s"), 1)
    bindings.set_owner(None, "turn", "x", 1, NOW)
    later = NOW + MAX_AGE + 1
    assert bindings.conversation(keys(session_id="s"), later) == (None, "")
    assert bindings.owner(None, "turn", "x", later) is None
    assert len(bindings) == 0


def test_the_longest_unused_go_first():
    bindings = Bindings(max_owners=2, max_conversations=2)
    for name in "ab":
        answered(bindings, keys(session_id=name), 1)
        bindings.set_owner(None, "response", name, 1, NOW)
    bindings.conversation(keys(session_id="a"), NOW)
    bindings.owner(None, "response", "a", NOW)
    answered(bindings, keys(session_id="c"), 1)
    bindings.set_owner(None, "response", "c", 1, NOW)
    for name, is_known in (("a", True), ("b", False), ("c", True)):
        found, _ = bindings.conversation(keys(session_id=name), NOW)
        assert (found is not None) is is_known
        assert (bindings.owner(None, "response", name, NOW) is not None) is is_known


def test_only_changes_are_written_and_only_once():
    bindings = Bindings()
    scope = keys(session_id="s")
    conversation = bindings.begin(scope, 1, NOW)
    assert bindings.dirty() == []  # not answered yet
    bindings.confirm(scope, conversation, 1, NOW)
    conversation.answered_by = 1
    assert [(row.account_id, row.used_at) for row in bindings.dirty()] == [
        (1, int(NOW * 1_000))
    ]
    bindings.confirm(scope, conversation, 1, NOW + 60)
    assert bindings.dirty() == []
    bindings.confirm(scope, conversation, 2, NOW + 60)
    assert [row.account_id for row in bindings.dirty()] == [2]
    bindings.confirm(scope, conversation, 2, NOW + 7_200)
    assert [row.used_at for row in bindings.dirty()] == [int((NOW + 7_200) * 1_000)]


def test_batches_are_bounded():
    bindings = Bindings()
    for number in range(25):
        bindings.set_owner(None, "response", str(number), 1, NOW)
    assert [len(bindings.dirty(10)) for _ in range(4)] == [10, 10, 5, 0]


def test_what_was_written_is_there_after_a_restart():
    before = Bindings()
    answered(before, keys(3, session_id="s", thread_id="t"), 7)
    before.set_owner(3, "response", "r", 8, NOW)
    before.set_owner(3, "turn", "x", 9, NOW)
    answered(before, keys(3, session_id="old"), 7, NOW - MAX_AGE)
    after = Bindings()
    after.restore(before.dirty(), NOW + 10)
    found, _ = after.conversation(keys(3, thread_id="t"), NOW + 10)
    assert (found.home, found.answered_by) == (7, 7)
    assert after.owner(3, "response", "r", NOW) == 8
    assert after.owner(3, "turn", "x", NOW) == 9
    assert after.conversation(keys(3, session_id="old"), NOW + 10) == (None, "")


@given(
    st.lists(
        st.tuples(st.sampled_from("ocd"), st.integers(0, 30), st.integers(1, 5)),
        max_size=200,
    )
)
def test_memory_and_batches_stay_bounded(steps):
    bindings = Bindings(max_owners=5, max_conversations=7)
    for what, name, account_id in steps:
        if what == "o":
            bindings.set_owner(None, "response", str(name), account_id, NOW)
        elif what == "c":
            answered(bindings, keys(session_id=str(name), thread_id="t"), account_id)
        else:
            bindings.dirty(3)
        assert len(bindings) <= 12
    assert len(bindings.dirty()) <= 12
