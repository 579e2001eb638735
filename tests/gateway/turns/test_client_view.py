"""What a client sees of events that end a response with an error."""

import json

import pytest

from gateway.turns.turn import ClientView

TOKEN = "sk-proj-abcdef1234567890"
HEADERS = {
    "Retry-After": 2,
    "x-codex-active-limit": "codex_x",
    "openai-organization": "org-AbC123",
    "set-cookie": "a=b",
}


def seen(event, *, keys_in_use=False):
    view = ClientView(True, "gpt-5.5", keys_in_use)
    return json.loads(view.visible(event["type"], json.dumps(event).encode()))


def error(**more):
    return {"type": "error", "status": 429, "error": {"message": "no"}, **more}


@pytest.mark.parametrize("keys_in_use", [False, True])
def test_no_event_holds_a_secret(keys_in_use):
    told = {"message": f"Incorrect key {TOKEN}"}
    failed = {"type": "response.failed", "response": {"id": "r", "error": told}}
    for event in (failed, error(error=told), error(message=TOKEN)):
        assert TOKEN not in json.dumps(seen(event, keys_in_use=keys_in_use))


@pytest.mark.parametrize("keys_in_use", [False, True])
def test_an_error_event_has_the_headers_of_an_answer(keys_in_use):
    told = {} if keys_in_use else {"x-codex-active-limit": "codex_x"}
    shown = seen(error(headers=HEADERS), keys_in_use=keys_in_use)
    assert shown == error(headers={"retry-after": "2", **told})
    for odd in ([1], "x", {"retry-after": "1.5"}, {"retry-after": "301"}):
        assert seen(error(headers=odd), keys_in_use=keys_in_use) == error()


@pytest.mark.parametrize("keys_in_use", [False, True])
def test_a_401_in_an_event_is_not_the_client_s(keys_in_use):
    assert seen(error(status=401), keys_in_use=keys_in_use) == error(status=502)


def test_what_is_fit_to_be_seen_passes_byte_for_byte():
    data = b'{"type": "error",  "status":429, "error":{"message":"no"}}'
    view = ClientView(True, "gpt-5.5", keys_in_use=True)
    assert view.visible("error", data) is data


@pytest.mark.parametrize("keys_in_use", [False, True])
def test_beside_keys_no_event_s_headers_name_the_organisation(keys_in_use):
    headers = {"openai-organization": "org-AbC123", "x-codex-turn-state": "s"}
    event = {"type": "response.metadata", "headers": headers}
    shown = seen(event, keys_in_use=keys_in_use)["headers"]
    assert ("openai-organization" in shown) is not keys_in_use
    assert shown["x-codex-turn-state"] == "s"


def test_beside_keys_no_field_of_an_error_is_named_after_somebody():
    told = {"message": "no", "bob@example.com": 1, "org-AbC123": 2}
    assert seen(error(error=told), keys_in_use=True) == error()
