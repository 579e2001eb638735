"""What `/api/status` answers. Times are unix seconds, durations seconds."""

from gateway.admin.entities import ACCOUNT
from gateway.admin.entity import Field, entity, similar_fields
from gateway.admin.live.members import MEMBER

_PROCESS = entity(
    "Process",
    *similar_fields("version python codex_version"),
    Field("pid", int),
    *similar_fields("started_at uptime", float),
    *similar_fields("turns sockets", int),
    Field("readiness", dict, description="ok, or what is wrong, by check"),
    Field("warnings", dict),
)
_LIMIT = entity(
    "LimitState",
    *similar_fields("key limit"),
    *similar_fields("used maximum", int, description="cost in micro-dollars"),
    Field("used_percent", float),
    *similar_fields("began_at resets_at", float),
    Field("runs_out_at", float, nullable=True, description="at its pace, before that"),
)
_ERRORS = entity(
    "RecentErrors",
    Field("since", float),
    *similar_fields("requests failed", int),
    Field("by_origin", dict, description="failed requests by whose fault"),
)
_QUEUES = entity(
    "Queues",
    Field("accounts", int, description="turns that wait for an account"),
    Field("keys", int, description="turns that wait for others of their key"),
    Field("log", int, description="rows that wait for the database"),
    *similar_fields("body_bytes lost_rows", int),
)
_LAG = entity(
    "Lag",
    Field("loop", float, description="of the event loop, the worst of a minute"),
    Field("writer", float, description="of the oldest row that waits"),
)
_DATABASE = entity(
    "DatabaseState",
    Field("place"),
    Field("bytes", int, nullable=True),
    Field("problem", nullable=True),
)
_RECORDING = entity(
    "Recording", Field("file"), Field("at", float), Field("what", nullable=True)
)
STATUS = entity(
    "Status",
    Field("at", float, required=True),
    Field("gateway", _PROCESS, nullable=True, description="null: none runs"),
    Field("accounts", ACCOUNT, many=True),
    Field("limits", _LIMIT, many=True, description="of keys, the fullest first"),
    Field("errors", _ERRORS, nullable=True, description="of the last hour"),
    Field("queues", _QUEUES, nullable=True),
    Field("lag", _LAG, nullable=True),
    Field("database", _DATABASE),
    Field(
        "members", MEMBER, many=True, nullable=True, description="that serve from it"
    ),
    Field("recording", _RECORDING, nullable=True, description="the last one"),
)
