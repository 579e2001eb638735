"""Upstream answers, and says no."""

import time

from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse
from gateway.demo.upstream import ScriptedUpstream
from tests.tools.cli_failures.row import Row, always, error, once, shorter
from tests.upstream_faults import failed_first

PAGE = ScriptedResponse((b"<html><title>Just a moment...</title></html>",), 403)
A_PAGE = "a page never leaves, of it only the title"
A_STATE = "known of all accounts it is a state, which ends the client's retries"
A_LIMIT = "a limit is told with its status, which the client understands"


def model_limit(upstream: ScriptedUpstream) -> None:
    """The limit of one model; others work."""
    headers = {
        "x-codex-active-limit": "codex_small",
        "x-codex-small-limit-name": "gpt-5.5",
        "x-codex-small-primary-used-percent": "100",
        "x-codex-small-primary-window-minutes": "300",
        "x-codex-small-primary-reset-at": "4000000000",
    }
    limited = faults.usage_limit(7_200)
    answer = ScriptedResponse(limited.steps, 429, {**limited.headers, **headers})
    upstream.answer(answer, times=None)


def told_reset(upstream: ScriptedUpstream) -> None:
    """A usage limit whose reset stands in the promotion's headers' company."""
    headers = {
        "x-codex-promo-message": "Buy more of it.",
        "x-codex-rate-limit-reached-type": "workspace_member_usage_limit_reached",
        "x-codex-primary-used-percent": "100",
        "x-codex-primary-reset-at": str(int(time.time()) + 3_600),
    }
    upstream.answer(faults.usage_limit().with_headers(headers), times=None)


WORKSPACE = ScriptedResponse.json({"detail": {"code": "deactivated_workspace"}}, 402)
SLOWER = error(429, "rate_limit_exceeded", "slower")
ROWS = (
    Row("400 with param", always(error(400, "invalid_request_error", "no", param="x"))),
    Row(
        "400 detail",
        always(ScriptedResponse.json({"detail": "Unsupported parameter: x"}, 400)),
    ),
    Row(
        "400 context_length_exceeded",
        always(error(400, "context_length_exceeded", "too long")),
    ),
    Row("402", always(error(402, "payment_required", "pay"))),
    Row(
        "402 deactivated_workspace",
        always(WORKSPACE),
        rule=A_STATE,
    ),
    Row(
        "403 JSON",
        always(error(403, "forbidden", "You may not do this.")),
        earlier="30.5 s / 15.5 s",
    ),
    Row("403 page", always(PAGE), rule=A_PAGE),
    Row("404", always(error(404, "not_found", "nothing here"))),
    Row("413", always(error(413, "too_large", "too large"))),
    Row("426", always(error(426, "upgrade_required", "not so"))),
    Row("429 usage_limit_reached", always(faults.usage_limit())),
    Row(
        "429 usage_limit_reached without a time",
        always(error(429, "usage_limit_reached", "The usage limit has been reached")),
    ),
    Row("429 usage_limit_reached, headers with more", told_reset),
    Row("429 usage_not_included", always(error(429, "usage_not_included", "no plan"))),
    Row("429 limit of one model", model_limit, earlier="every model refused for 2 h"),
    *(
        Row(f"429 {code}", always(error(429, code, "Spend limit")), earlier=earlier)
        for code, earlier in (
            ("organization_spend_limit_exceeded", "17 s"),
            ("organization_usage_limit_exceeded", ""),
            ("insufficient_quota", ""),
        )
    ),
    Row(
        "429 rate_limit_exceeded",
        always(SLOWER),
        inner_wait=1.0,
        earlier="- / 17 s",
    ),
    Row(
        "429 with Retry-After 1, once, one account",
        once(SLOWER.with_headers({"retry-after": "1"})),
        inner_wait=1.0,
        accounts=1,
        earlier="503 after 1 s",
    ),
    Row(
        "429 with Retry-After 2",
        always(SLOWER.with_headers({"retry-after": "2"})),
        inner_wait=2.0,
    ),
    Row(
        "529 with Retry-After 1, once, one account",
        once(error(529, "overloaded", "busy", headers={"retry-after": "1"})),
        inner_wait=1.0,
        accounts=1,
    ),
    Row("500", always(faults.server_error()), earlier="- / 113 s"),
    Row("502", always(error(502, "bad_gateway", "bad"))),
    Row("503", always(faults.unavailable()), earlier="- / 109 s"),
    Row("504", always(error(504, "gateway_timeout", "slow"))),
    Row("503 with Retry-After 1", always(faults.unavailable(1))),
    Row("503 with Retry-After 3", always(faults.unavailable(3)), options=shorter()),
    Row(
        "503 server_is_overloaded",
        always(error(503, "server_is_overloaded", "Our servers are overloaded.")),
        earlier="145 s / > 45 s",
    ),
    Row("503 slow_down", always(error(503, "slow_down", "Slow down."))),
    Row("500, once", once(faults.server_error())),
    Row("503, once", once(faults.unavailable())),
    *(
        Row(f"failed: {code}", always(failed_first(code, message)))
        for code, message in (
            ("server_error", "It failed."),
            ("context_length_exceeded", "too long"),
            ("server_is_overloaded", "full"),
            ("insufficient_quota", "no money"),
            ("invalid_prompt", "Not this."),
            ("some_code", "Unheard of."),
        )
    ),
    Row(
        "failed: rate_limit_exceeded, 1.5 s",
        always(failed_first("rate_limit_exceeded", "Please try again in 1.5s.")),
        inner_wait=1.5,
        rule=A_LIMIT,
    ),
    Row(
        "failed: usage_limit_reached",
        always(failed_first("usage_limit_reached", "The usage limit has been reached")),
        rule=A_LIMIT,
    ),
)
