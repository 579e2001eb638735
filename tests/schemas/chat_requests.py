"""Requests for chat completions, and what is made of them."""

import json

from marshmallow import ValidationError

from schemas.request import first_bad_field, load_chat_request

ACCEPTED = object()
USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}

LARK = {"syntax": "lark", "definition": "start: /.+/"}
GRAMMAR = {"type": "grammar", "grammar": LARK}
FLAT_GRAMMAR = {"type": "grammar", **LARK}


def complete(**fields):
    return {"model": "m", "messages": [USER], **fields}


def load(payload, **options):
    return load_chat_request(json.dumps(payload).encode(), **options)


def mapped(payload, *, chatgpt_account=True, **options):
    request, _ = load(payload, **options)
    return json.loads(request.body_for(chatgpt_account=chatgpt_account)[0])


def verdict(payload):
    try:
        load(payload)
    except ValidationError as error:
        return first_bad_field(error)
    return ACCEPTED


FUNCTION = {"name": "f", "description": "d", "parameters": {}}
