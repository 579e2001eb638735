"""The table of events that matter, and what is made from it."""

import pytest

from gateway.protocol.event_kinds import EVENT_KINDS, kind_of_event, notable_pattern
from gateway.protocol.outcome import OutcomeReader
from gateway.turns.turn import ClientView

OUTPUT = ("response.output_item.added", "response.output_text.delta", "[DONE]", "other")


@pytest.mark.parametrize("type", EVENT_KINDS)
def test_the_pattern_finds_what_the_table_calls_notable_and_nothing_else(type):
    data = b'{"type": "%s"}' % type.encode()
    found = notable_pattern().search(data) is not None
    assert found is kind_of_event(type).is_notable


@pytest.mark.parametrize("type", OUTPUT)
def test_output_is_neither_held_nor_notable_nor_filtered(type):
    assert kind_of_event(type) == kind_of_event("response.output_text.delta")
    assert not any(kind_of_event(type))
    assert notable_pattern().search(b'{"type": "%s"}' % type.encode()) is None


@pytest.mark.parametrize("type", ["codex.keepalive", "codex.anything_new"])
def test_the_codex_family_is_held_and_notable(type):
    assert kind_of_event(type).is_held
    assert notable_pattern().search(b'{"type":"%s"}' % type.encode())


def test_events_without_a_type_wait_for_the_commit_point():
    assert kind_of_event("").is_held


@pytest.mark.parametrize(("type", "kind"), EVENT_KINDS.items())
def test_the_outcome_of_a_response_is_that_of_its_last_event(type, kind):
    reader = OutcomeReader()
    reader.feed(type, b'{"response": {"id": "resp_1"}}')
    assert reader.status == kind.ends_as
    assert reader.is_terminal is bool(kind.ends_as)


@pytest.mark.parametrize(("type", "kind"), EVENT_KINDS.items())
def test_a_client_beside_keys_sees_all_but_what_speaks_of_the_account(type, kind):
    view = ClientView(is_codex=True, requested_model="m", keys_in_use=True)
    told = b'{"type":"%s","headers":{"openai-model":"other"}}' % type.encode()
    assert (view.visible(type, told) == told) is not kind.is_filtered
