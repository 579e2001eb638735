"""The operator's entities, each field described once.

Plain data: `handlers.admin.schemas` makes the API's schemas and its document from it,
`gateway.cli` its options, `gateway.admin` the checks. Times are unix seconds unless a
name says otherwise.
"""

from dataclasses import replace
from typing import get_args

import peewee as pw

from gateway.accounts.account import AccountKind, CredentialsKind
from gateway.accounts.health import AccountStatus
from gateway.accounts.strategies import STRATEGIES
from gateway.admin.entity import CHANGES, Field, entity, similar_fields
from gateway.admin.key_rules.entities import ALIASES, TOOL_RULES
from gateway.protocol.facts import Origin
from gateway.store.log.log_rows import MEASURES
from gateway.store.log.queries import LogStatus
from gateway.store.log.usage_sums import GROUPINGS
from gateway.store.models import RequestLog

LOG_STATUSES: tuple[str, ...] = get_args(LogStatus)
LONGEST_PAGE = 1000  # rows of the request log

_SHORT = (1, 128)
_COUNT = (1, 1_000_000)
_NAME = Field("name", bounds=_SHORT)
NAMED = entity("Named", Field("name", required=True), *CHANGES)
_ERROR_BODY = entity(
    "ErrorBody",
    *similar_fields("message code", required=True),
    *similar_fields("type origin param request_id"),
)
ERROR = entity("Error", Field("error", _ERROR_BODY, required=True))

ACCOUNT_CHANGE = entity(
    "AccountChange",
    _NAME,
    Field("priority", int, bounds=(-1000, 100_000)),
    Field("concurrency", int, nullable=True, bounds=(1, 100_000)),
    Field("websockets", bool, column="has_websockets"),
    Field("residency", bounds=(0, 16), help="Where its data is to stay, as in us."),
    Field(
        "chat_parameters",
        bool,
        column="takes_chat_parameters",
        help="A compatible server that takes chat's seed, penalties, logit_bias, …",
    ),
)
NEW_ACCOUNT = entity(
    "NewAccount",
    replace(_NAME, required=True),
    Field("base_url", required=True, bounds=(None, 300)),
    Field("api_key", required=True, bounds=(1, 2000), is_secret=True),
    *ACCOUNT_CHANGE.fields[1:],
)
_WINDOW = entity(
    "Window",
    *similar_fields("name limit", nullable=True),  # limit: of some models only
    Field("used_percent", float),
    Field("window_minutes", int, nullable=True),
    Field("resets_at", float, nullable=True),
    Field("runs_out_at", float, nullable=True, description="at its pace, before that"),
    *similar_fields("seen_at age", float),
    Field("live", bool, description="told by an answer, not polled"),
)
_LAST_ERROR = entity("Trouble", Field("message"), Field("at", float))
ACCOUNT = entity(
    "Account",
    Field("id", int),
    _NAME.in_answer(),
    Field("kind", choices=tuple(AccountKind)),
    *similar_fields("email plan chatgpt_account_id base_url", nullable=True),
    Field("priority", int, description="lower goes first"),
    ACCOUNT_CHANGE["concurrency"].in_answer(),
    *(field.in_answer() for field in ACCOUNT_CHANGE.fields[3:]),
    Field("source_file", nullable=True),
    Field("auth", choices=get_args(CredentialsKind)),
    Field("token_expires_at", float, nullable=True),
    Field("state", choices=tuple(AccountStatus)),
    Field("why"),
    *similar_fields("since until", float, nullable=True),
    Field("windows", _WINDOW, many=True),
    Field("has_credits", bool),
    Field("in_flight", int),
    Field("failures", int, description="consecutive"),
    Field("last_error", _LAST_ERROR, nullable=True),
    Field("models", int, nullable=True),
    *CHANGES,
    Field(
        "ruling",
        choices=("well", "login", "refused", "none"),
        description="what the judge said, in the answer to resume; none: nothing",
    ),
)
ACCOUNT_LIST = entity(
    "AccountList", Field("accounts", ACCOUNT, many=True, required=True)
)
VISIT = entity("Visit", Field("account", nullable=True, default=None, bounds=_SHORT))
ADMITTED = entity("Visitor", Field("key", required=True))
PROBE = entity("Probe", Field("model", nullable=True, default=None, bounds=_SHORT))
PROBED = entity(
    "Probed",
    Field("account", required=True),
    Field("ok", bool, required=True),
    Field("model", required=True, nullable=True),
    Field("status", int, nullable=True),
    *similar_fields("error code residency_hint", nullable=True),
    Field("first_event_ms", int, nullable=True),
    Field("duration_ms", int),
    *similar_fields("state why"),
    Field("until", float, nullable=True),
)
_FILTER = (
    *similar_fields("key account model", bounds=_SHORT),
    Field("since", description="30m, 7d ago, this week, or a date"),
)
_ID = Field("", int, default=None, bounds=(0, 2**63 - 1), is_query=True)
PLACE = (
    replace(_ID, name="before", description="`next` of the page before"),
    replace(_ID, name="after", description="an `id`: the page that led there"),
)
_PAGE = (
    Field("limit", int, default=50, bounds=(1, LONGEST_PAGE), is_query=True),
    *PLACE,
)
LOG_QUERY = entity(
    "LogQuery",
    *_FILTER,
    Field("until", description="the same, for before it"),
    Field("status", choices=LOG_STATUSES),
    Field("origin", choices=get_args(Origin), description="whose fault it was"),
    Field("conversation", bounds=(1, 64)),
    Field("id", bounds=_SHORT, description="of a request its beginning; a response's"),
    *_PAGE,
)
USAGE_QUERY = entity(
    "UsageQuery",
    *_FILTER,
    Field("by", default="key", description=f"of {', '.join(GROUPINGS)}, with commas"),
    Field("time_zone", description="Europe/Berlin, +01:00; UTC without one"),
)
# Where an answer does not show a column as it is: names in place of numbers, JSON read.
_LOG_FIELDS = {
    "api_key_id": Field("key", nullable=True),
    "account_id": Field("account", nullable=True),
    "status": Field("status", choices=LOG_STATUSES),
    "changes": Field("changes", many=True),
    "receipt": Field("receipt", dict),
}


def _log_field(column: pw.Field) -> Field:
    is_number = isinstance(column, pw.IntegerField)
    kind = bool if isinstance(column, pw.BooleanField) else int if is_number else str
    plain = Field(column.name, kind, nullable=column.null)
    return _LOG_FIELDS.get(column.name, plain)


LOG_ROW = entity(
    "LogRow",
    *map(_log_field, RequestLog._meta.sorted_fields),
    Field("device", nullable=True, description="its name"),
)
EXPLAINED = entity(
    "ExplainedRequest",
    *(field for field in LOG_ROW.fields if field.name != "status"),
    Field("status", choices=(*LOG_STATUSES, "refused"), description="refused: light"),
    *similar_fields("door reason", description="of a request refused at the door"),
)
# The fields that a light row has in common with a whole one have the same names.
REFUSAL = entity(
    "Refusal",
    Field("request_id", nullable=True, description="none: a count of one minute's"),
    *similar_fields("created_at http_status requests id", int),
    *similar_fields("client_address surface door error_code reason status"),
    Field("key", nullable=True),
)
REFUSAL_QUERY = entity(
    "RefusalQuery",
    *(field for field in _FILTER if field.name in ("key", "since")),
    *_PAGE,
)
REFUSAL_PAGE = entity(
    "RefusalPage",
    Field("refusals", REFUSAL, many=True, required=True),
    Field("next", int, nullable=True, required=True),
)
AUDIT_QUERY = entity("AuditQuery", _FILTER[-1], Field("actor", bounds=(1, 80)), *_PAGE)
AUDIT_ROW = entity(
    "AuditRow",
    *similar_fields("id at", int),
    *similar_fields("actor action target"),
    Field("detail", dict, description="what was before and after, and the like"),
)
AUDIT_PAGE = entity(
    "AuditPage",
    Field("changes", AUDIT_ROW, many=True, required=True),
    Field("next", int, nullable=True, required=True),
)
LOG_PAGE = entity(
    "LogPage",
    Field("logs", LOG_ROW, many=True, required=True),
    Field("next", int, nullable=True, required=True),
)
_SUMS = {"duration_ms": "sum", "first_output_ms": "sum over `first_outputs`"}
_USAGE_ROW = entity(
    "UsageRow",
    *similar_fields("key account model", nullable=True),
    *similar_fields("hour day week"),
    *(Field(name, int, description=_SUMS.get(name, "")) for name in MEASURES),
    Field("cached_ratio", float, nullable=True),
)
USAGE = entity("Usage", Field("usage", _USAGE_ROW, many=True, required=True))
RULE_COUNTS_QUERY = entity("RuleCountsQuery", _FILTER[-1])
_RULE_ROW = entity(
    "RuleRow",
    Field("day", description="UTC"),
    Field("kind", choices=("changed", "refused", "new shape")),
    Field("rule"),
    Field("requests", int),
)
RULE_COUNTS = entity("RuleCounts", Field("rules", _RULE_ROW, many=True, required=True))

SETTINGS_CHANGE = entity(
    "SettingsChange", Field("strategy", choices=STRATEGIES), TOOL_RULES, ALIASES
)
SETTINGS = entity(
    "Settings",
    Field("strategy", required=True, choices=STRATEGIES),
    TOOL_RULES.in_answer(nullable=False),
    ALIASES.in_answer(nullable=False),
    *CHANGES,
)
RELOADED = entity("Reloaded", *similar_fields("accounts keys", int, required=True))
