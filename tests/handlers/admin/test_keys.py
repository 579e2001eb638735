"""Keys over the admin API."""

import pytest

from gateway.keys.key import Flaw
from tests.serving import V1

pytestmark = pytest.mark.gen_test(timeout=20)


# --- keys


async def test_a_key_is_shown_once_and_works_at_once(serving, operator):
    made = await operator.post("/api/keys", {"name": "laptop", "rpm": 100})
    assert made.status == 201
    assert made.json["is_first"] is True
    token = made.json["key"]
    assert token.startswith("sk-cgw-")
    listed = await operator.call("GET", "/api/keys")
    assert token.encode() not in listed.body
    assert listed.json["keys"][0]["prefix"] == token[: len("sk-cgw-") + 8]
    refused = await serving.ask(V1)
    assert refused.status == 401
    served = await serving.ask(V1, headers={"x-api-key": token})
    assert served.status == 200


async def test_a_key_that_is_disabled_is_refused_from_the_next_request_on(
    serving, operator
):
    token = (await operator.post("/api/keys", {"name": "a"})).json["key"]
    await operator.patch("/api/keys/a", {"disabled": True})
    headers = {"authorization": f"Bearer {token}"}
    assert (await serving.ask(V1, headers=headers)).status == 401
    await operator.patch("/api/keys/a", {"disabled": False})
    assert (await serving.ask(V1, headers=headers)).status == 200


async def test_a_rotated_key_has_its_rules_and_the_old_token_ends(serving, operator):
    old = (await operator.post("/api/keys", {"name": "a", "rpm": 7})).json["key"]
    new = (await operator.post("/api/keys/a/rotate")).json["key"]
    assert (await serving.ask(V1, headers={"x-api-key": old})).status == 401
    assert (await serving.ask(V1, headers={"x-api-key": new})).status == 200
    assert (await operator.get("/api/keys/a"))["rpm"] == 7


async def test_both_tokens_of_an_overlap_work_and_the_old_one_ends_by_itself(
    serving, operator
):
    old = (await operator.post("/api/keys", {"name": "a"})).json["key"]
    made = await operator.post("/api/keys/a/rotate", {"overlap": "24 hours"})
    new, until = made.json["key"], made.json["old_expires_at"]
    for token in (old, new):
        served = await serving.ask(V1, headers={"x-api-key": token})
        assert served.status == 200
    shown = await operator.get("/api/keys/a")
    assert (shown["old_prefix"], shown["old_expires_at"]) == (old[:15], until)
    ring = serving.gateway.ring
    assert ring.check(old, until - 1)[1] is None
    assert ring.check(old, until)[1] is Flaw.ROTATED
    await operator.post("/api/keys/a/rotate")
    for token in (old, new):  # without an overlap all that was before ends
        refused = await serving.ask(V1, headers={"x-api-key": token})
        assert refused.status == 401
    wrong = await operator.post("/api/keys/a/rotate", {"overlap": "yesterday"})
    assert (wrong.status, wrong.error["param"]) == (400, "overlap")


async def test_a_change_is_answered_with_what_was_before(operator):
    await operator.post("/api/keys", {"name": "a", "limits": ["tokens 2M/7d"]})
    change = {"raise_limits": ["tokens +1M"], "add_limits": ["cost 5/1h"]}
    changed = (await operator.patch("/api/keys/a", change)).json
    assert changed["before"] == {"limits": ["tokens 2000000/7d"]}
    assert changed["after"] == {"limits": ["tokens 3000000/7d", "cost 5/1h"]}
    gone = (await operator.patch("/api/keys/a", {"drop_limits": ["cost"]})).json
    assert gone["limits"] == ["tokens 3000000/7d"]
    wrong = await operator.patch("/api/keys/a", {"raise_limits": ["cost +1"]})
    assert (wrong.status, wrong.error["param"]) == (400, "raise_limits")
    account = (await operator.patch("/api/accounts/one", {"concurrency": 7})).json
    assert (account["before"], account["after"]) == (
        {"concurrency": None},
        {"concurrency": 7},
    )
    account = (await operator.patch("/api/accounts/one", {"concurrency": None})).json
    assert account["concurrency"] is None
    assert (await operator.patch("/api/accounts/one", {"concurrency": 0})).status == 400


async def test_what_is_used_can_be_reset_and_counts_from_there(serving, operator):
    rules = {"name": "a", "limits": ["requests 1/1d"]}
    headers = {"x-api-key": (await operator.post("/api/keys", rules)).json["key"]}
    assert (await serving.ask(V1, headers=headers)).status == 200
    assert (await serving.ask(V1, headers=headers)).status == 429
    done = await operator.call("DELETE", "/api/keys/a/usage")
    assert (done.json["before"], done.json["after"]) == (
        {"requests 1/1d": 1},
        {"requests 1/1d": 0},
    )
    assert (await serving.ask(V1, headers=headers)).status == 200
    assert (await serving.ask(V1, headers=headers)).status == 429


async def test_a_key_s_log_is_deleted_and_its_sums_stay(serving, operator):
    for name in ("a", "b"):
        token = (await operator.post("/api/keys", {"name": name})).json["key"]
        await serving.ask(V1, headers={"x-api-key": token})
    await serving.rows(2)
    done = await operator.call("DELETE", "/api/keys/a/logs")
    assert done.json == {"name": "a", "rows": 1}
    (left,) = await serving.rows(1)
    assert left["api_key_id"] == 2
    usage = (await operator.get("/api/usage?by=key"))["usage"]
    assert {row["key"]: row["requests"] for row in usage} == {"a": 1, "b": 1}


async def test_a_key_shows_what_is_used_of_its_limits(serving, operator):
    rules = {"name": "a", "limits": ["requests 5/1d", "cost 2.50/30d model=gpt-5*"]}
    token = (await operator.post("/api/keys", rules)).json["key"]
    await serving.ask(V1, headers={"x-api-key": token})
    shown = await operator.get("/api/keys/a")
    assert shown["limits"] == ["requests 5/1d", "cost 2.5/30d model=gpt-5*"]
    requests = shown["usage"][0]
    assert (requests["current_value"], requests["max_value"]) == (1, 5)
    # Another maximum keeps what was used, another window does not.
    limits = {"limits": ["requests 9/1d", "tokens 1M/7d"]}
    changed = (await operator.patch("/api/keys/a", limits)).json["usage"]
    assert [(u["current_value"], u["max_value"]) for u in changed] == [
        (1, 9),
        (0, 1_000_000),
    ]


async def test_the_last_key_gone_opens_no_door(serving, operator):
    await operator.post("/api/keys", {"name": "a"})
    await operator.call("DELETE", "/api/keys/a")
    assert (await serving.ask(V1)).status == 401
    again = await operator.post("/api/keys", {"name": "b"})
    assert again.json["is_first"] is False


@pytest.mark.parametrize(
    ("rules", "param"),
    [
        ({"limits": ["tokens lots/7d"]}, "limits"),
        ({"limits": ["tokens 1/7d", "tokens 2/7d"]}, "limits"),
        ({"expires": "yesterday"}, "expires"),
        ({"expires": "2001-01-01"}, "expires"),
        ({"rpm": 0}, "rpm"),
        ({"enforce_effort": "very high"}, "enforce_effort"),
        ({"enforce_tier": "first class"}, "enforce_tier"),
        ({"models": ["gpt-5*"], "enforce_model": "o3"}, "enforce_model"),
    ],
)
async def test_rules_that_make_no_sense_make_no_key(operator, rules, param):
    answered = await operator.post("/api/keys", {"name": "a", **rules})
    assert answered.status == 400
    assert answered.error["param"] == param
    assert (await operator.get("/api/keys")) == {"keys": []}


async def test_a_key_for_an_account_that_is_not_there_is_not_made(operator):
    answered = await operator.post("/api/keys", {"name": "a", "accounts": ["nobody"]})
    assert answered.status == 404
    assert "nobody" in answered.error["message"]


async def test_the_only_account_of_a_key_is_not_removed(operator):
    await operator.post("/api/keys", {"name": "a", "accounts": ["one"]})
    answered = await operator.call("DELETE", "/api/accounts/one")
    assert answered.status == 409
    assert "keys a" in answered.error["message"]
