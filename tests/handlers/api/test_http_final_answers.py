"""What clients get over HTTP when nothing else can be tried: upstream's last answer."""

import asyncio
import socket

import pytest

from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.turns import attempt_loop
from tests import upstream_faults
from tests.handlers.api.test_http_failover import TURN
from tests.handlers.api.test_http_logins import BODIES
from tests.serving import CHAT, CODEX, V1, accounts, payload

CUT = {  # Codex is told inside the stream: see test_http_broken_streams
    "reset after headers": upstream_faults.reset_after_headers(),
    "cut before the commit": faults.cut_after(TURN.answer(), 2),
}
NO_ANSWER = {
    "reset before headers": upstream_faults.reset_before_headers(),
    "wrong content type": upstream_faults.wrong_content_type(),
    "gzip": upstream_faults.gzipped(TURN.answer()),
}


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        *((CODEX, answer) for answer in NO_ANSWER.values()),
        *((V1, answer) for answer in (CUT | NO_ANSWER).values()),
    ],
)
@pytest.mark.gen_test
async def test_a_failure_everywhere_says_whose_it_is(serving, upstream, path, answer):
    upstream.answer(answer, times=None)
    answered = await serving.ask(path)
    assert answered.status == 502
    assert answered.error["origin"] in ("upstream", "network")
    assert answered.error["phase"]
    assert answered.error["request_id"] == answered.headers["x-request-id"]
    assert "retry-after" not in answered.headers
    assert len(upstream.of()) <= 6
    (row,) = await serving.rows()
    assert (row["status"], row["http_status"]) == ("error", 502)
    assert row["error_origin"] == answered.error["origin"]


ANSWERS = {
    "500": faults.server_error(),
    "503": faults.unavailable(),
    "529": faults.error_response(529, "overloaded", "busy"),
    "402": faults.error_response(402, "deactivated_workspace", "pay"),
    "403": faults.error_response(403, "unsupported_country", "not here"),
    "quota": faults.error_response(429, "organization_spend_limit_exceeded", "no"),
    "limit": faults.usage_limit(3_600, "pro"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_the_last_answer_is_told_as_it_was(serving, upstream, path, answer):
    await serving.pause("two")
    limits = {"x-codex-active-limit": "codex_x", "x-codex-promo-message": "more"}
    upstream.answer(answer.with_headers({**limits, "x-odd": "1"}), times=None)
    answered = await serving.ask(path, BODIES[path])
    assert answered.status == answer.status
    expected = {**answer.error(), "request_id": answered.headers["x-request-id"]}
    assert answered.error == expected
    assert limits.items() <= answered.headers.items()
    assert not {"x-odd", "retry-after"} & answered.headers.keys()
    (row,) = await serving.rows()
    assert (row["http_status"], row["error_code"]) == (
        answer.status,
        answer.error()["code"],
    )


@pytest.mark.parametrize(
    ("wait", "is_told"), [("2", True), ("300", True), ("301", False)]
)
@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_the_wait_that_upstream_asks_for_is_told(
    serving, upstream, path, wait, is_told
):
    await serving.pause("two")
    answer = faults.error_response(413, "too_large", "no", {"retry-after": wait})
    upstream.answer(answer, times=None)
    answered = await serving.ask(path)
    assert answered.headers.get("retry-after") == (wait if is_told else None)


@pytest.mark.gen_test
async def test_an_answer_says_more_than_a_connection_that_broke(serving, upstream):
    answer = faults.unavailable()
    upstream.answer(answer, account="one", times=None)
    upstream.answer(upstream_faults.reset_before_headers(), account="two", times=None)
    answered = await serving.ask()
    assert accounts(upstream)[-1] == "two"
    assert answered.status == 503
    assert answer.error().items() <= answered.error.items()


WHOSE = "of organization org-AbC123 for bob@example.com, in 'Acme Inc'"


@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_beside_keys_an_error_names_nobody(serving, upstream, path):
    headers = {"x-api-key": await serving.add_key()}
    limits = {"x-codex-active-limit": "codex_x"}
    answer = faults.error_response(429, "rate_limit_exceeded", WHOSE, limits, org_id=1)
    upstream.answer(answer, times=None)
    answered = await serving.ask(path, BODIES[path], headers=headers)
    assert answered.status == 429
    assert answered.error["message"] == (
        "of organization [redacted] for [redacted], in 'Acme Inc'"
    )
    assert "org_id" not in answered.error
    assert "x-codex-active-limit" not in answered.headers


@pytest.mark.parametrize("turn", [ScriptedTurn(), ScriptedTurn().text("one two")])
@pytest.mark.gen_test
async def test_beside_keys_a_failed_response_names_nobody(serving, upstream, turn):
    """Before the first output and behind it."""
    headers = {"x-api-key": await serving.add_key()}
    upstream.answer(turn.failed("invalid_prompt", WHOSE).answer(), times=None)
    answered = await serving.ask(headers=headers)
    assert answered.status == 200
    error = answered.events[-1]["response"]["error"]
    assert error["code"] == "invalid_prompt"
    assert "org-AbC123" not in answered.body.decode()
    assert "bob@" not in answered.body.decode()


@pytest.mark.gen_test
async def test_a_refused_connection_is_told_as_the_network_s(serving, upstream):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    await serving.restart(upstream_base_url=f"http://127.0.0.1:{port}/backend-api")
    answered = await serving.ask()
    assert answered.status == 502
    assert answered.error["origin"] == "network"
    assert answered.error["phase"] == "connect"
    assert "retry-after" not in answered.headers


CLIENT_S = {
    "context": faults.error_response(400, "context_length_exceeded", "too long"),
    "parameter": faults.error_response(
        400, "invalid_request_error", "bad", param="input"
    ),
    "anchor": faults.previous_response_not_found("resp_x"),
    "404": faults.error_response(404, "not_found", "no"),
    "413": faults.error_response(413, "too_large", "no"),
    "422": faults.error_response(422, "unprocessable", "no"),
}


@pytest.mark.parametrize("answer", CLIENT_S.values(), ids=CLIENT_S)
@pytest.mark.gen_test
async def test_a_verdict_on_the_request_passes_at_once(serving, upstream, answer):
    upstream.answer(answer, times=None)
    answered = await serving.ask()
    assert answered.status == answer.status
    for name, value in answer.error().items():
        assert answered.error[name] == value
    assert accounts(upstream) == ["one"]
    assert (await serving.ask(body=payload("again"))).status == answer.status
    assert accounts(upstream) == ["one", "one"]  # and the account is not blamed


@pytest.mark.gen_test
async def test_a_detail_instead_of_an_error_passes_too(serving, upstream):
    upstream.answer(ScriptedResponse.json({"detail": "Unsupported parameter: x"}, 400))
    answered = await serving.ask()
    assert answered.status == 400
    assert answered.json["detail"] == "Unsupported parameter: x"


@pytest.mark.parametrize("detail", ["Unsupported parameter: x", [{"msg": "bad x"}]])
@pytest.mark.parametrize("path", [V1, CHAT])
@pytest.mark.gen_test
async def test_a_detail_is_the_message_of_an_error_on_v1(
    serving, upstream, path, detail
):
    """The SDKs find no reason in anything else."""
    upstream.answer(ScriptedResponse.json({"detail": detail}, 400))
    answered = await serving.ask(path, BODIES[path])
    assert answered.status == 400
    assert answered.error["message"] in (detail, "bad x")
    assert answered.error["type"] == "invalid_request_error"
    assert "detail" not in answered.json


UNTYPED = b'data: {"error":{"message":"queue full","type":"%s","code":null}}\n\n'


@pytest.mark.parametrize(
    ("type", "status"), [(b"rate_limit_error", 429), (b"server_error", 502)]
)
@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_an_error_without_a_type_is_told_with_a_status(
    serving, upstream, path, type, status
):
    answer = ScriptedResponse((UNTYPED % type, b"data: [DONE]\n\n"))
    upstream.answer(answer, times=None)
    answered = await serving.ask(path, BODIES[path])
    assert (answered.status, answered.error["message"]) == (status, "queue full")
    assert set(accounts(upstream)) == {"one", "two"}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("context_length_exceeded", 400),
        ("invalid_prompt", 400),
        ("invalid_image", 400),
        ("insufficient_quota", 429),
        ("server_error", 502),
        ("of no table", 502),
    ],
)
@pytest.mark.parametrize("path", [V1, CHAT])
@pytest.mark.gen_test
async def test_a_failed_response_folded_has_the_status_of_its_code(
    serving, upstream, path, code, status
):
    """A 5xx for an SDK: the same faulty request three times."""
    upstream.answer(upstream_faults.failed_first(code, "no"), times=None)
    answered = await serving.ask(path, BODIES[path] | {"stream": False})
    assert (answered.status, answered.error["code"]) == (status, code)


@pytest.mark.gen_test
async def test_a_redirect_is_not_followed(serving, upstream):
    upstream.answer(
        ScriptedResponse(status=302, headers={"location": "http://evil/"}), times=None
    )
    answered = await serving.ask()
    assert answered.status == 502
    assert answered.error["origin"] == "upstream"
    assert "evil" not in answered.body.decode()


@pytest.mark.gen_test
async def test_secrets_that_upstream_quotes_do_not_reach_the_client(serving, upstream):
    token = upstream.accounts["one"].access_token
    upstream.answer(faults.error_response(400, "invalid", f"bad token {token} here"))
    answered = await serving.ask()
    assert answered.status == 400
    assert token not in answered.body.decode()
    (row,) = await serving.rows()
    assert token not in str(row)


@pytest.mark.gen_test
async def test_when_no_account_is_left_after_attempts_upstreams_answer_is_told(
    serving, upstream
):
    """The second account is taken away while the request waits for it."""
    pool, two = serving.gateway.pool, serving.account("two")
    two.in_flight = two.cap
    no_plan = faults.error_response(429, "usage_not_included", "no plan")
    upstream.answer(no_plan, account="one")
    asked = asyncio.create_task(serving.ask())
    async with asyncio.timeout(10):
        while not pool.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    two.in_flight = 0
    two.health.pause()
    pool.serve_queue()
    answered = await asked
    assert (answered.status, answered.error["code"]) == (429, "usage_not_included")


@pytest.mark.gen_test
async def test_no_attempt_begins_after_its_time_however_long_the_line_is(
    serving, upstream, monkeypatch
):
    monkeypatch.setattr(attempt_loop, "LAST_ATTEMPT_SECONDS", 0.2)
    two = serving.account("two")
    two.in_flight = two.cap
    no_plan = faults.error_response(429, "usage_not_included", "no plan")
    upstream.answer(no_plan, account="one")
    async with asyncio.timeout(10):  # the line alone may take thirty seconds
        answered = await serving.ask()
    assert (answered.status, answered.error["code"]) == (429, "usage_not_included")
    assert serving.gateway.pool.waiting == 0
    two.in_flight = 0
