"""Messages of chat, and what becomes of them."""

from schemas.messages import convert_messages


def call(**fields):
    function = {"name": "f", "arguments": "{}"}
    return {"id": "c", "type": "function", "function": function, **fields}


def items(*messages, **options):
    return convert_messages(list(messages), None, **options)[0]


USER = {"role": "user", "content": "u"}
