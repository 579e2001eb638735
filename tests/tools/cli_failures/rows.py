"""What upstream does to the Codex CLI, row by row."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.demo import faults
from gateway.demo.answers import Close, Cut, ScriptedResponse
from gateway.demo.upstream import ScriptedUpstream
from tests.upstream_faults import failed_first

Play = Callable[[ScriptedUpstream], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One behaviour of upstream, and how the two runs may differ."""

    name: str
    play: Play
    inner_wait: float = 0.0  # seconds, where the gateway waits out a short limit
    accounts: int = 2
    is_sockets_only: bool = False
    has_own_words: bool = False  # no answer came, or a page, which never leaves


def always(answer: ScriptedResponse) -> Play:
    """Every turn is answered so, whichever account asks."""
    return lambda upstream: upstream.answer(answer, times=None)


def once(answer: ScriptedResponse) -> Play:
    return lambda upstream: upstream.answer(answer)


def error(status: int, code: str, message: str, **more: object) -> ScriptedResponse:
    headers = more.pop("headers", None)
    assert headers is None or isinstance(headers, dict)
    return faults.error_response(status, code, message, headers, **more)


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


PAGE = ScriptedResponse((b"<html><title>Just a moment...</title></html>",), 403)
ROWS = (
    Row("400 with param", always(error(400, "invalid_request_error", "no", param="x"))),
    Row(
        "400 detail",
        always(ScriptedResponse.json({"detail": "Unsupported parameter: x"}, 400)),
    ),
    Row(
        "context_length_exceeded",
        always(error(400, "context_length_exceeded", "too long")),
    ),
    Row("402", always(error(402, "payment_required", "pay"))),
    Row("403 JSON", always(error(403, "forbidden", "You may not do this."))),
    Row("403 page", always(PAGE), has_own_words=True),
    Row("404", always(error(404, "not_found", "nothing here"))),
    Row("413", always(error(413, "too_large", "too large"))),
    Row("429 usage_limit_reached", always(faults.usage_limit())),
    Row("429 usage_not_included", always(error(429, "usage_not_included", "no plan"))),
    Row("429 limit of one model", model_limit),
    Row(
        "429 organization_spend_limit_exceeded",
        always(error(429, "organization_spend_limit_exceeded", "Spend limit reached")),
    ),
    Row("429 insufficient_quota", always(error(429, "insufficient_quota", "no money"))),
    Row(
        "429 rate_limit_exceeded",
        always(error(429, "rate_limit_exceeded", "slower")),
        inner_wait=1.0,
    ),
    Row(
        "429 with retry-after 1, once",
        once(error(429, "rate_limit_exceeded", "slower", headers={"retry-after": "1"})),
        inner_wait=1.0,
        accounts=1,
    ),
    Row(
        "529 with retry-after 1, once",
        once(error(529, "overloaded", "busy", headers={"retry-after": "1"})),
        inner_wait=1.0,
        accounts=1,
    ),
    Row("500", always(faults.server_error())),
    Row("503", always(faults.unavailable())),
    Row("503 with retry-after 1", always(faults.unavailable(1))),
    Row(
        "503 server_is_overloaded",
        always(error(503, "server_is_overloaded", "Our servers are overloaded.")),
    ),
    Row("503 slow_down", always(error(503, "slow_down", "Slow down."))),
    Row("500 once", once(faults.server_error())),
    Row("failed: server_error", always(failed_first("server_error", "It failed."))),
    Row(
        "failed: server_is_overloaded",
        always(failed_first("server_is_overloaded", "full")),
    ),
    Row(
        "failed: insufficient_quota",
        always(failed_first("insufficient_quota", "no money")),
    ),
    Row("failed: invalid_prompt", always(failed_first("invalid_prompt", "Not this."))),
    Row(
        "reset before the headers",
        always(ScriptedResponse(before=(Cut.RESET,))),
        has_own_words=True,
    ),
    Row("reset, once", once(ScriptedResponse(before=(Cut.RESET,)))),
    Row(
        "handshake 426",
        lambda upstream: upstream.answer(
            error(426, "upgrade_required", "no"), route="handshake", times=None
        ),
        is_sockets_only=True,
    ),
    Row(
        "handshake 503, once",
        lambda upstream: upstream.answer(faults.unavailable(), route="handshake"),
        is_sockets_only=True,
    ),
    Row(
        "closed 1012 before the first event",
        once(ScriptedResponse((Close(1012),))),
        is_sockets_only=True,
    ),
)
