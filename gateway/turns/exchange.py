"""One exchange: what the client asked, what happened, the row it leaves.

An exchange is one HTTP request, or one turn on a socket. The record is filled as it
runs and becomes one row of the log; it never holds a word of a prompt or an answer.
"""

import time
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from gateway.errors import GatewayError, InvalidPayload
from gateway.keys.counters import NOTHING_CHARGED, Charged
from gateway.keys.key import plain_word
from gateway.keys.model_errors import plain_name
from gateway.protocol.facts import LONGEST_LOGGED, Failure, LoggedError, Usage
from gateway.turns.client_request import ClientRequest, Loaded
from gateway.turns.keepalive import Silence

ExchangeStatus = Literal["success", "error", "interrupted"]
RuleKind = Literal["changed", "refused", "new shape"]


@dataclass(slots=True, eq=False)
class Exchange:
    """The record of one exchange. Times in ms since its start, None = never."""

    request: ClientRequest
    started: float = field(default_factory=time.monotonic)
    created_at: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    model: str | None = None
    requested_model: str | None = None  # the client's word, whatever its key enforces
    answers_as: str | None = None  # an alias, which the answer is to name
    is_known_model: bool = False  # to upstream; others have no sums of their own
    requested_tier: str | None = None
    reasoning_effort: str | None = None
    is_prewarm: bool = False
    account_id: int | None = None
    account_name: str | None = None
    changes: tuple[str, ...] = ()
    new_shapes: tuple[str, ...] = ()  # types of tools that no rule knows
    refused_by: str | None = None  # the rule, where it was a request's own fault
    attempts: list[dict[str, Any]] = field(default_factory=list)
    lease_reason: str | None = None
    passed_over: tuple[tuple[str, str], ...] = ()
    switched_from: str | None = None  # the account this conversation had before
    switch_cause: str | None = None
    conversation: str | None = None  # the strongest of its names, never in clear
    marks: dict[str, int] = field(default_factory=dict)
    silence: Silence | None = None  # of its stream, once that is relayed
    is_stopped: bool = False  # by the operator
    response_bytes: int = 0
    response_id: str | None = None
    upstream_request_id: str | None = None
    answered_tier: str | None = None
    served_model: str | None = None  # by which it is priced, where it is another
    usage: Usage | None = None
    charged: Charged = NOTHING_CHARGED
    status: ExchangeStatus = "interrupted"
    http_status: int = 0
    error_code: str | None = None
    error_message: str | None = None
    error_origin: str | None = None
    error_type: str | None = None
    error_param: str | None = None
    error_phase: str | None = None

    def take_facts(self, loaded: Loaded) -> None:
        """Note what the log tells of a payload."""
        self.changes, self.new_shapes = loaded.changes, loaded.new_shapes
        self.model = loaded.model
        self.requested_model = loaded.requested_model
        self.answers_as = loaded.answers_as
        self.requested_tier = loaded.service_tier
        self.reasoning_effort = loaded.reasoning_effort
        self.is_prewarm = not loaded.generate

    def mark(self, name: str) -> None:
        """Remember when a phase ended, the first time it does."""
        self.marks.setdefault(name, self.elapsed_ms)

    @property
    def elapsed_ms(self) -> int:
        return round((time.monotonic() - self.started) * 1000)

    def succeed(self, http_status: int = 200) -> None:
        self.status, self.http_status = "success", http_status

    def fail(self, error: GatewayError) -> None:
        """Record the error the client got."""
        self.status, self.http_status, error.is_logged = "error", error.status, True
        if self.error_phase == "stream":  # a folded answer, which broke off as recorded
            return
        own = LoggedError(error.code, error.type, error.param, str(error))
        self.take_words(error.redacted or own)
        self.error_origin, self.error_phase = error.origin, error.phase
        if error.origin == "client":
            _, _, reason = str(error).partition(f"{InvalidPayload.message}: ")
            self.refused_by = reason or error.code

    def break_off(self, failure: Failure) -> None:
        """Record a failure that came after the commit point."""
        self.status = "error"
        self.http_status = self.http_status or 200
        self.take_words(failure.logged)
        self.error_origin, self.error_phase = failure.origin, failure.phase

    def take_words(self, logged: LoggedError) -> None:
        self.error_code, self.error_type, self.error_param, message = logged
        self.error_message = message[:LONGEST_LOGGED]

    def as_row(self) -> dict[str, Any]:
        """The columns of `request_log`."""
        client, usage = self.request.client, self.charged.usage or Usage()
        return {
            "request_id": client.request_id,
            "response_id": self.response_id,
            "client_request_id": client.client_request_id,
            "upstream_request_id": self.upstream_request_id,
            "created_at": self.created_at,
            "api_key_id": self.request.key.id if self.request.key else None,
            "account_id": self.account_id,
            "surface": self.request.surface,
            "transport": self.request.transport,
            "route": self.request.route.value,
            "model": plain_name(self.model),
            "requested_model": plain_name(self.requested_model),
            "is_known_model": self.is_known_model,
            "requested_tier": plain_word(self.requested_tier),
            "service_tier": plain_word(self.answered_tier),
            "reasoning_effort": plain_word(self.reasoning_effort),
            "status": self.status,
            "http_status": self.http_status,
            "error_code": self.error_code,
            "error_message": self.error_message,
            "error_origin": self.error_origin,
            "error_phase": self.error_phase,
            "input_tokens": usage.input_tokens,
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "output_tokens": usage.output_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            "cost_microdollars": self.charged.cost,
            "duration_ms": self.elapsed_ms,
            "body_ms": self.marks.get("body"),
            "queue_ms": self.marks.get("queue"),
            "connect_ms": self.marks.get("connect"),
            "first_event_ms": self.marks.get("first_event"),
            "first_output_ms": self.marks.get("first_output"),
            "request_bytes": self.request.size,
            "response_bytes": self.response_bytes,
            "client_address": client.address,
            "user_agent": client.user_agent,
            "conversation": self.conversation,
            "attempts": len(self.attempts),
            "is_prewarm": self.is_prewarm,
            "changes": orjson.dumps(self.changes).decode(),
            "receipt": orjson.dumps(self.receipt()).decode(),
            "rules_met": self._rules_met(),
            "has_switched": self.switched_from is not None,
            "cached_discount": self.charged.cached_discount,
            # Nobody has worked for it, whoever ended it: who asks decides how many.
            "is_refusal": self.status != "success" and self.account_id is None,
            "network": client.network,
            "device_id": client.device_id,
        }

    def _rules_met(self) -> list[tuple[RuleKind, str]]:
        """What is counted by day, as `gateway.store.log.rule_counts` takes it."""
        met: list[tuple[RuleKind, str]] = [("changed", one) for one in self.changes]
        met += [("new shape", shape) for shape in self.new_shapes]
        return met if self.refused_by is None else [*met, ("refused", self.refused_by)]

    def receipt(self) -> dict[str, Any]:
        """Why this account, who was passed over, what was retried."""
        return {
            "reason": self.lease_reason,
            "passed_over": self.passed_over,
            "switched_from": self.switched_from,
            "switch_cause": self.switch_cause,
            "attempts": self.attempts,
            "counted": self.charged.counted,
            "estimated": self.charged.is_estimate,
            "served": self.served_model,
            "known_model": self.is_known_model,
            "error": {"type": self.error_type, "param": self.error_param},
        }
