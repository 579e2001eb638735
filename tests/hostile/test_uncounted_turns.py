"""Frames that some reader might take for a turn: counted like one, or refused."""

import json
import time

import pytest

from tests.serving import PATIENCE, payload, turn_on

pytestmark = pytest.mark.hostile

TURN, OTHER = '"type": "response.create",', '"type": "response.processed",'
# What stands in front of the fields of a turn.
DISGUISES = {
    "no type": "",
    "another case": '"Type": "response.create",',
    "upper case": '"TYPE": "response.create",',
    "NUL behind the name": r'"type\u0000": "response.create",',
    "NUL and more behind the name": r'"type\u0000x": "response.create",',
    "a blank behind the name": '"type ": "response.create",',
    "NUL behind the type": r'"type": "response.create\u0000",',
    "a blank before the type": '"type": " response.create",',
    "a line's end behind the type": r'"type": "response.create\n",',
    "the type in another case": '"type": "Response.Create",',
    "the type in full width": r'"type": "\uff52esponse.create",',
    "a list": '"type": ["response.create"],',
    "an object": '"type": {"response.create": "response.create"},',
    "a number": '"type": 1,',
    "null": '"type": null,',
    "an empty type": '"type": "",',
    "two types, the turn first": TURN + OTHER,
    "two types, the turn last": OTHER + TURN,
    "two names, the turn first": '"Type": "response.create",' + OTHER,
    "two names, the turn last": OTHER + '"Type": "response.create",',
    "two names, one ends at NUL": OTHER + r'"type\u0000": "response.create",',
    "escaped": r'"type": "response.creat\u0065",',
    "an escaped name": r'"typ\u0065": "response.create",',
    "huge": '"Type": "response.create", "metadata": {"x": "%s"},' % ("x" * 300_000),
}


@pytest.mark.parametrize("connected", [False, True], ids=["first", "later"])
@pytest.mark.gen_test
async def test_what_reaches_upstream_is_counted(serving, upstream, connected):
    upstream.lenient = True  # a real one knows none of the other names
    token = await serving.add_key(limits=["requests 500/1d"])
    gateway = serving.gateway
    (key,) = gateway.ring

    def counted():
        (row,) = gateway.limiter.report(key, time.time())
        return row["current_value"]

    async with serving.socket(headers={"x-api-key": token}) as ws:
        if connected:
            await turn_on(ws)
        for name, disguise in DISGUISES.items():
            frame = "{" + disguise + json.dumps(payload())[1:]
            for sent in (frame, frame.encode()):
                send = ws.send_str if isinstance(sent, str) else ws.send_bytes
                await send(sent)
                answer = {"type": ""}
                while answer["type"] not in ("response.completed", "error"):
                    answer = await ws.receive_json(timeout=PATIENCE)
                assert answer.get("status") in (None, 400), name
                await gateway.turns.wait_until_idle()
                assert counted() == len(upstream.of()), name
