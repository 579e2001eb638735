"""docs/rules.md and what happens agree: its tables are walked, row by row.

Each row has requests that it speaks of; on the surfaces it names they are refused, or
changed, and on no other. A row without any is about more than a payload.
"""

import json
import re
from pathlib import Path

import pytest
from marshmallow import ValidationError

from schemas.request import load_chat_request, load_request
from schemas.surfaces import Surface

RULES = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
WHERE = {
    "everywhere": set(Surface),
    "everywhere but on chat": set(Surface) - {Surface.CHAT},
    "everywhere but on sockets": {Surface.CODEX, Surface.V1, Surface.CHAT},
    "Codex": {Surface.CODEX, Surface.CODEX_SOCKET},
    "Codex over HTTP": {Surface.CODEX},
    "public": {Surface.V1, Surface.V1_SOCKET},
    "public, chat": {Surface.V1, Surface.V1_SOCKET, Surface.CHAT},
    "chat": {Surface.CHAT},
    "sockets": {Surface.CODEX_SOCKET, Surface.V1_SOCKET},
}


def rows(heading):
    """(what, where) of the table below a heading."""
    part = RULES.split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0].split("\n### ")[0]
    lines = re.findall(r"^\| (.+) \|$", part, re.MULTILINE)
    cells = [re.split(r" \| ", line) for line in lines]
    return [(row[0], row[-1]) for row in cells if set(row[0]) - set("-")][1:]


def tool(type):
    return {"tools": [{"type": type, "name": "t"}]}


def user(*parts):
    return {"input": [{"type": "message", "role": "user", "content": list(parts)}]}


FILE = {"type": "input_file", "file_id": "file-1"}
CHAT_FILE = {"type": "file", "file": {"file_id": "file-1"}}
# Of the row that begins so: fields of a request, and of a chat request where they
# are others there (None: it has nothing of the kind).
REFUSED = {
    "tools of type `file_search`": [
        (tool(one), tool(one))
        for one in ("file_search", "code_interpreter", "computer_use")
    ],
    "a tool of type `image_generation`": [(tool("image_generation"),) * 2],
    "a frame without a `type`": [],
    "no `model`": [
        ({"model": None}, {"model": None}),
        ({"model": "m" * 257}, {"model": "m" * 257}),
        ({"input": 7}, {"messages": 7}),
        ({"input": ...}, {"messages": ...}),
    ],
    "no `instructions`": [({"instructions": ...}, {})],
    "`store: true`": [({"store": True}, {"store": True})],
    "`store: null`": [({"store": None}, {"store": None})],
    "other values of `truncation`": [({"truncation": "left"}, {"truncation": "left"})],
    "items of type `item_reference`": [
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, None)
    ],
    "`n` above 1": [
        (None, one)
        for one in (
            {"n": 2},
            {"stop": "x"},
            {"modalities": ["audio"]},
            {"audio": {"voice": "a"}},
        )
    ],
    "`logprobs`, `top_logprobs`": [(None, {"logprobs": True})],
    "values of `include`": [({"include": ["secrets"]}, None)],
    "`previous_response_id` beside": [
        ({"previous_response_id": "r", "conversation": "c"}, None)
    ],
    "`input_file` with a `file_id`": [
        (user(FILE), {"messages": [{"role": "user", "content": [CHAT_FILE]}]})
    ],
    "a transcription": [],
    "a compressed body": [],
    "a body of more than": [],
    "images, search": [],
    "bodies over 1 MiB": [],
}


def made(surface, fields):
    """The least request of a surface, with some fields; `...` takes one away."""
    base = {"model": "m", "input": "hi", "instructions": "", "store": False}
    if surface is Surface.CHAT:
        base = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    merged = {**base, **fields}
    return {name: value for name, value in merged.items() if value is not ...}


def why_refused(surface, fields):
    """None for a request that a ChatGPT account gets."""
    body = json.dumps(made(surface, fields)).encode()
    try:
        if surface is Surface.CHAT:
            loaded, _ = load_chat_request(body)
        else:
            loaded = load_request(body, surface)
    except ValidationError as error:
        return error
    return loaded.refusal_by(chatgpt_account=True)


# Of the row of changes that begins so: fields, chat's, and what of the payload is then
# so for a ChatGPT account.
CHANGED = {
    "a tool of type `image_generation`": (
        tool("image_generation"),
        None,
        {"tools": []},
    ),
    "`web_search_preview`": (
        *(tool("web_search_preview"),) * 2,
        {"tools": [{"type": "web_search", "name": "t"}]},
    ),
    "`input` as a text": (
        {"input": "hi"},
        None,
        {"input": [{"role": "user", "content": "hi"}]},
    ),
    "no instructions of any kind": ({"instructions": ...}, {}, {"instructions": ""}),
    "no `store`": ({"store": ...}, {}, {"store": False}),
    "any `stream`": ({"stream": False}, {"stream": False}, {"stream": True}),
    '`service_tier` "fast"': (
        *({"service_tier": "fast"},) * 2,
        {"service_tier": "priority"},
    ),
    "`max_output_tokens`, `temperature`": (
        {"max_output_tokens": 99, "temperature": 1},
        {"max_tokens": 99, "temperature": 1},
        {"max_output_tokens": ..., "temperature": ...},
    ),
    "`top_p`, `user`": (
        *({"top_p": 1, "user": "u"},) * 2,
        {"top_p": ..., "user": ...},
    ),
    "`reasoningEffort`": (
        *({"reasoningEffort": "low"},) * 2,
        {"reasoning": {"effort": "low"}},
    ),
    "camel case of a parameter": (
        *({"promptCacheKey": "k"},) * 2,
        {"prompt_cache_key": "k"},
    ),
    "a blank `previous_response_id`": (
        {"previous_response_id": " "},
        None,
        {"previous_response_id": ...},
    ),
}


def sent(surface, fields):
    """The payload that a ChatGPT account gets."""
    body = json.dumps(made(surface, fields)).encode()
    chat = surface is Surface.CHAT
    loaded = load_chat_request(body)[0] if chat else load_request(body, surface)
    return json.loads(loaded.body_for(chatgpt_account=True)[0])


def is_so(payload, wanted):
    if isinstance(wanted, list):
        return len(payload) == len(wanted) and all(map(is_so, payload, wanted))
    if isinstance(wanted, dict) and isinstance(payload, dict):
        return all(is_so(payload.get(n, ...), one) for n, one in wanted.items())
    if wanted == "hi":  # a message's one part
        return payload[0]["text"] == wanted
    return payload is wanted or payload == wanted


@pytest.mark.parametrize("surface", list(Surface))
@pytest.mark.parametrize(("what", "where"), rows("## Requests: what is changed"))
def test_what_is_changed_is_changed_there_and_nowhere_else(what, where, surface):
    for name in CHANGED:
        usual, chat, wanted = CHANGED[name]
        fields = chat if surface is Surface.CHAT else usual
        if what.startswith(name) and fields is not None:
            is_refused = why_refused(surface, fields) is not None
            is_changed = not is_refused and is_so(sent(surface, fields), wanted)
            assert is_changed == (surface in WHERE[where]), (fields, where)


def test_what_chat_leaves_out_is_noted():
    body = json.dumps(made(Surface.CHAT, {"store": True})).encode()
    assert "store dropped" in load_chat_request(body)[0].changes


def test_every_row_of_refusals_has_its_requests():
    missing = [what for what, _ in rows("## Requests: what is refused") if not of(what)]
    assert missing == []


def of(what):
    """The names of the cases of a row: exactly one."""
    return [name for name in REFUSED if what.startswith(name)]


@pytest.mark.parametrize("surface", list(Surface))
@pytest.mark.parametrize(("what", "where"), rows("## Requests: what is refused"))
def test_what_is_refused_is_refused_there_and_nowhere_else(what, where, surface):
    (name,) = of(what)
    for usual, chat in REFUSED[name]:
        fields = chat if surface is Surface.CHAT else usual
        if fields is None:
            continue
        why = why_refused(surface, fields)
        assert (why is not None) == (surface in WHERE[where]), (fields, where, why)
