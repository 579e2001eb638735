"""The Codex client's side calls: answered here, and what only the owner may do."""

import pytest

from gateway.demo.answers import ScriptedResponse

WHAM = "/backend-api/wham"
RESETS = f"{WHAM}/rate-limit-reset-credits"
ONE = {"id": "r1", "status": "available", "granted_at": "2026-11-01T00:00:00Z"}
PAGE: dict = {"plugins": [], "pagination": {}}


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (RESETS, {"available_count": 0, "credits": []}),
        (f"{WHAM}/settings/user", {}),
        (f"{WHAM}/profiles/me", {"stats": {}}),
        (f"{WHAM}/config/bundle", {}),
        ("/backend-api/ps/plugins/installed?limit=200", PAGE),
        ("/backend-api/ps/plugins/workspace/created?limit=200", PAGE),
        ("/backend-api/ps/plugins/tooling-state/turtle", PAGE),
        ("/backend-api/ps/plugins/search?q=git&limit=16", PAGE),
        (
            "/backend-api/ps/plugins/suggested/codex?scope=GLOBAL",
            {"enabled": True, "plugins": []},
        ),
        ("/backend-api/plugins/featured?platform=codex", []),
        ("/backend-api/connectors/directory/list?external_logos=true", {"apps": []}),
        ("/backend-api/connectors/directory/list_workspace", {"apps": []}),
    ],
)
@pytest.mark.gen_test
async def test_side_calls_are_answered_here_and_without_a_key(
    serving, upstream, path, answer
):
    await serving.add_key()
    answered = await serving.get(path)
    assert (answered.status, answered.json) == (200, answer)
    assert upstream.of("side") == []


@pytest.mark.gen_test
async def test_what_is_asked_about_by_name_is_answered_by_name(serving, upstream):
    answered = await serving.ask("/backend-api/ps/apps/batch", {"app_ids": ["x"]})
    assert answered.json == {"apps": []}
    path = f"{WHAM}/usage/thread_usage/query"
    answered = await serving.ask(path, {"thread_ids": ["a", 5, "b"]})
    assert [one["thread_id"] for one in answered.json["threads"]] == ["a", "b"]
    assert (await serving.ask(path, b"[")).json == {"threads": []}
    assert upstream.of("side") == []


def banked(count, *credits):
    return {"available_count": count, "credits": list(credits)}


def script_resets(upstream, answers, uses=()):
    """What upstream says of each account's resets, and to those who use one."""
    uses = list(uses)

    def answer(received):
        if received.path.endswith("/consume"):
            return uses.pop(0)
        return ScriptedResponse.json(answers[received.account])

    upstream.answer(answer, route="side", times=None)


@pytest.mark.gen_test
async def test_banked_resets_are_told_where_no_keys_are_in_use(serving, upstream):
    await serving.add_account("one")
    await serving.add_account("two")
    await serving.add_api_key_account()
    script_resets(upstream, {"one": banked(1, ONE), "two": banked(2)})
    for _ in range(2):  # asked once a minute
        assert (await serving.get(RESETS)).json == banked(3, ONE)
    assert [(a.account, a.path) for a in upstream.of("side")] == [
        ("one", RESETS),
        ("two", RESETS),
    ]
    for stranger in ({"host": "rebound.example"}, {"x-forwarded-for": "127.0.0.1"}):
        assert (await serving.get(RESETS, headers=stranger)).json == banked(0)
    token = await serving.add_key()
    for headers in ({}, {"x-api-key": token}):
        assert (await serving.get(RESETS, headers=headers)).json == banked(0)


@pytest.mark.parametrize(
    "odd", [{}, {"credits": 5, "available_count": "x"}, {"credits": [1, None]}, [1]]
)
@pytest.mark.gen_test
async def test_odd_answers_about_resets_are_none(serving, upstream, odd):
    await serving.add_account("one")
    upstream.answer(ScriptedResponse.json(odd), route="side")
    assert (await serving.get(RESETS)).json == banked(0)


@pytest.mark.gen_test
async def test_an_account_that_does_not_tell_its_resets_hides_no_other_s(
    serving, upstream
):
    for name in ("one", "two"):
        await serving.add_account(name)
    error = ScriptedResponse.json({"detail": "no"}, 500)
    upstream.answer(error, route="side", account="one", times=None)
    script_resets(upstream, {"two": banked(1, ONE)})
    assert (await serving.get(RESETS)).json == banked(1, ONE)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"{RESETS}/consume", "run.py accounts resets NAME --use"),
        (f"{WHAM}/accounts/send_add_credits_nudge_email", "the gateway's owner"),
    ],
)
@pytest.mark.gen_test
async def test_what_is_the_owner_s_is_refused_to_clients(
    serving, upstream, path, words
):
    await serving.add_account("one")
    answered = await serving.ask(path, {"redeem_request_id": "x"})
    assert (answered.status, answered.error["code"]) == (403, "owner_only")
    assert words in answered.error["message"]
    assert upstream.of("side") == []


@pytest.mark.gen_test
async def test_analytics_end_here(serving, upstream):
    for path in (
        "/backend-api/codex/analytics-events/events",
        "/backend-api/codex/v1/analytics-events/events",
    ):
        answered = await serving.ask(path, {"events": ["x" * 1000]})
        assert (answered.status, answered.json) == (200, {})
    await serving.rows(0)
    assert upstream.of("side") == []


@pytest.mark.gen_test
async def test_the_apps_server_is_an_empty_one(serving):
    async def call(**message):
        return await serving.ask("/backend-api/ps/mcp", {"jsonrpc": "2.0", **message})

    answered = await call(
        id=0, method="initialize", params={"protocolVersion": "2025-03-26"}
    )
    assert answered.json["result"]["protocolVersion"] == "2025-03-26"
    answered = await call(method="notifications/initialized")
    assert (answered.status, answered.body) == (202, b"")
    answered = await call(id=1, method="tools/list")
    assert answered.json == {"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}
    assert (await call(id=2, method="x")).json["error"]["code"] == -32601
    answered = await serving.ask("/backend-api/ps/mcp", b"{")
    assert answered.status == 400
    for id in ([1], {}, {"a": 1}):
        answered = await call(id=id, method="ping")
        assert (answered.status, answered.error["param"]) == (400, "id")
    for id in (0, "a", 1.5):
        assert (await call(id=id, method="ping")).json["id"] == id
    for method in (None, 5, ["ping"]):
        answered = await call(id=1, method=method)
        assert (answered.status, answered.error["param"]) == (400, "method")
