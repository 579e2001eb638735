"""What goes upstream: the client's own bytes, or what the rules made of them."""

import json
from pathlib import Path

import pytest
from marshmallow import ValidationError

from schemas.policy.key_policy import KeyPolicy
from schemas.request import first_bad_field, load_request
from schemas.surfaces import Surface

CAPTURES = Path(__file__).parent.parent / "captures"


def captured():
    """Every request of the recorded Codex runs with the surface it came in by."""
    for path in sorted(CAPTURES.glob("*.json")):
        record = json.loads(path.read_text())
        if "events" not in record:
            codex = "backend-api" in record["path"]
            surface = Surface.CODEX if codex else Surface.V1
            yield pytest.param(record["body"], surface, id=path.stem)
            continue
        for number, event in enumerate(record["events"]):
            if "handshake_request" in event:
                codex = "backend-api" in event["handshake_request"]["path"]
                surface = Surface.CODEX_SOCKET if codex else Surface.V1_SOCKET
            if event.get("dir") == "client->server":
                yield pytest.param(event["frame"], surface, id=f"{path.stem}-{number}")


def complete(**fields):
    return {
        "model": "m",
        "instructions": "",
        "input": [],
        "store": False,
        "stream": True,
        "prompt_cache_key": "k",
        **fields,
    }


def load(payload, surface=Surface.CODEX, **options):
    return load_request(json.dumps(payload).encode(), surface, **options)


def sent(loaded, *, chatgpt_account=True):
    return json.loads(loaded.body_for(chatgpt_account=chatgpt_account)[0])


@pytest.mark.parametrize(("payload", "surface"), list(captured()))
@pytest.mark.parametrize("separators", [(",", ":"), (" ,\n", " : ")])
def test_what_codex_sends_leaves_byte_for_byte(payload, surface, separators):
    text = json.dumps(payload, separators=separators)
    loaded = load_request(text if surface.is_socket else text.encode(), surface)
    for chatgpt_account in (True, False):
        body, changes = loaded.body_for(chatgpt_account=chatgpt_account)
        assert body == text.encode()
        assert changes == ()
    assert loaded.stream is True
    assert loaded.model == payload["model"]
    assert loaded.previous_response_id == payload.get("previous_response_id")
    assert loaded.prompt_cache_key == payload["prompt_cache_key"]
    assert loaded.reasoning_effort == payload["reasoning"].get("effort")
    assert loaded.service_tier == payload.get("service_tier")
    assert loaded.generate is payload.get("generate", True)


def test_captures_cover_both_transports():
    surfaces = {parameters.values[1] for parameters in captured()}
    assert surfaces == set(Surface) - {Surface.CHAT}


def test_a_rewritten_request_keeps_key_order_and_everything_else():
    tools = [{"type": "image_generation"}, {"type": "function", "name": "é"}]
    raw = json.dumps({"zeta": [1.50, None], **complete(tools=tools), "alpha": "ü"})
    body, changes = load_request(raw.encode(), Surface.CODEX).body_for(
        chatgpt_account=True
    )
    assert changes == ("image_generation tool dropped",)
    expected = json.loads(raw)
    del expected["tools"][0]
    assert json.loads(body) == expected
    assert list(json.loads(body)) == list(expected)


def test_accounts_with_a_key_get_what_chatgpt_accounts_do_not():
    raw = json.dumps(complete(temperature=0.5, truncation="auto")).encode()
    loaded = load_request(raw, Surface.V1)
    assert loaded.body_for(chatgpt_account=False) == (raw, ())
    body, changes = loaded.body_for(chatgpt_account=True)
    assert json.loads(body) == complete()
    assert changes == ("temperature dropped", "truncation dropped")
    changed = load(complete(temperature=0.5, service_tier="fast"), Surface.V1)
    assert sent(changed) == complete(service_tier="priority")
    assert sent(changed, chatgpt_account=False) == complete(
        temperature=0.5, service_tier="priority"
    )


@pytest.mark.parametrize("asked", [True, False, None])
def test_stream_is_what_the_client_asked_for(asked):
    loaded = load(complete(stream=asked), Surface.V1)
    assert loaded.stream is (asked is True)
    assert sent(loaded)["stream"] is True


@pytest.mark.parametrize(
    "number",
    ["18446744073709551617", "-9223372036854775809", "1" * 60, "18446744073709551615"],
)
def test_long_integers_survive_a_rewrite(number):
    raw = json.dumps(complete(service_tier="fast", client_metadata=[0.1])).encode()
    raw = raw.replace(b"[0.1]", b'{"a": [%s,1.5]}' % number.encode())
    loaded = load_request(raw, Surface.CODEX)
    assert sent(loaded)["client_metadata"] == {"a": [int(number), 1.5]}
    temperature = raw.replace(b'"fast"', b'"flex", "temperature": 1')
    body, _ = load_request(temperature, Surface.V1).body_for(chatgpt_account=True)
    assert number.encode() in body


@pytest.mark.parametrize("levels", [500, 1020])
def test_too_deep_a_value_passes_as_it_is_but_cannot_be_rewritten(levels):
    deep = b"[" * levels + b"]" * levels
    raw = json.dumps(complete(x=0)).encode().replace(b'"x": 0', b'"x": ' + deep)
    loaded = load_request(raw, Surface.CODEX)
    assert loaded.body_for(chatgpt_account=True) == (raw, ())
    # Whoever would have to write it anew refuses it, also for one account only.
    for field, new in (
        (b'"stream": true', b'"stream": false'),
        (b'"x"', b'"temperature"'),
    ):
        with pytest.raises(ValidationError) as caught:
            load_request(raw.replace(field, new), Surface.CODEX)
        assert first_bad_field(caught.value) is None


def test_a_deep_value_is_rewritten_as_it_was():
    deep = b"[" * 490 + b'"x"' + b"]" * 490
    raw = json.dumps(complete(stream=False, x=0)).encode()
    raw = raw.replace(b'"x": 0', b'"x": ' + deep)
    body, _ = load_request(raw, Surface.CODEX).body_for(chatgpt_account=True)
    assert deep in body


def test_a_repeated_field_cannot_slip_past_a_key_that_restricts():
    raw = b'{"model": "dear",' + json.dumps(complete()).encode()[1:]
    body, changes = load_request(raw, Surface.CODEX).body_for(chatgpt_account=True)
    assert (body, changes) == (raw, ())
    for policy in (KeyPolicy(restricted=True), KeyPolicy(model="m")):
        loaded = load_request(raw, Surface.CODEX, policy=policy)
        for chatgpt_account in (True, False):
            body, changes = loaded.body_for(chatgpt_account=chatgpt_account)
            assert b"dear" not in body
            assert changes == ()


def test_what_a_key_enforces_replaces_what_was_sent():
    policy = KeyPolicy(model="cheap", effort="low", tier="flex")
    update = {"type": "configuration_update", "reasoning": {"effort": "high", "x": 1}}
    payload = complete(
        reasoning={"effort": "high", "context": "all"},
        service_tier="fast",
        input=[update],
    )
    loaded = load(payload, policy=policy)
    assert (loaded.model, loaded.service_tier) == ("cheap", "flex")
    assert loaded.reasoning_effort == "low"
    assert sent(loaded) == complete(
        model="cheap",
        reasoning={"effort": "low", "context": "all"},
        service_tier="flex",
        input=[update | {"reasoning": {"effort": "low", "x": 1}}],
    )
    assert sent(load(complete(reasoning=None), policy=policy))["reasoning"] == {
        "effort": "low"
    }


def test_an_enforced_model_does_not_excuse_a_missing_one():
    payload = complete()
    del payload["model"]
    with pytest.raises(ValidationError) as caught:
        load(payload, policy=KeyPolicy(model="cheap"))
    assert first_bad_field(caught.value) == "model"


def test_a_compaction_leaves_without_store_and_stream():
    payload = complete(tools=[{"type": "function", "name": "f"}])
    loaded = load(payload, compact=True)
    body = sent(loaded, chatgpt_account=False)
    assert body == {k: v for k, v in payload.items() if k not in ("store", "stream")}
    messages = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    body = sent(load(messages, Surface.V1, compact=True), chatgpt_account=False)
    assert body.keys() == {"model", "input", "instructions", "prompt_cache_key"}


def test_for_a_chatgpt_account_a_compaction_is_a_turn_that_ends_with_its_trigger():
    said = [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    tools = [{"type": "function", "name": "f"}]
    payload = complete(input=said, tools=tools, temperature=1)
    loaded = load(payload, compact=True)
    del payload["temperature"]
    items = [*payload["input"], {"type": "compaction_trigger"}]
    assert sent(loaded) == {**payload, "input": items, "stream": True, "store": False}
    assert "compaction made a turn" in loaded.body_for(chatgpt_account=True)[1]
    less = sent(loaded.without_items(frozenset({0})))
    assert less["input"] == items[1:]


def test_a_compaction_made_a_turn_keeps_long_numbers():
    item = b'{"role":"user","n":12345678901234567890123}'
    raw = b'{"model":"m","instructions":"","input":[' + item + b"]}"
    body, _ = load_request(raw, Surface.CODEX, compact=True).body_for(
        chatgpt_account=True
    )
    assert b'"n":12345678901234567890123}' in body


def test_a_frame_keeps_its_type():
    frame = complete(type="response.create", tools=[{"type": "image_generation"}])
    loaded = load_request(json.dumps(frame), Surface.CODEX_SOCKET)
    assert sent(loaded) == frame | {"tools": []}


def test_items_can_be_left_out_of_a_request_and_nothing_else_changes():
    items = [{"type": "reasoning", "n": 1}, {"role": "user", "n": 2**70 + 1}, "x"]
    payload = complete(input=items, temperature=1, client_metadata={"n": 2**80 + 1})
    for surface in (Surface.CODEX, Surface.V1):
        left = load(payload, surface).without_items(frozenset({0, 2}))
        expected = payload | {"input": items[1:2]}
        assert sent(left, chatgpt_account=False) == expected
        del expected["temperature"]
        assert sent(left) == expected
    plain = complete(input=items)
    left = load(plain).without_items(frozenset({0}))
    assert sent(left) == plain | {"input": items[1:]}
    assert left.changes == ()
