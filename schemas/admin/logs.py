"""The request log and its sums in the admin API."""

from marshmallow import fields, validate

from schemas.admin.base import NAME, AdminSchema

STATUSES = ("success", "error", "interrupted")
GROUPINGS = ("key", "account", "model", "day")
SINCE = {"description": "30m, 2h, 7d, 4w ago, or a date"}


class FilterSchema(AdminSchema):
    """Which rows; `#3` names a removed key or account by its number."""

    key = fields.String(validate=NAME)
    account = fields.String(validate=NAME)
    model = fields.String(validate=NAME)
    since = fields.String(metadata=SINCE)


class LogQuerySchema(FilterSchema):
    status = fields.String(validate=validate.OneOf(STATUSES))
    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=1000))
    before = fields.Integer(
        load_default=None,
        validate=validate.Range(min=0, max=2**63 - 1),
        metadata={"description": "`next` of the page before"},
    )


class LogRowSchema(AdminSchema):
    """One exchange. Never a prompt, never an answer. `created_at` in unix ms."""

    id = fields.Integer()
    request_id = fields.String()
    response_id = fields.String(allow_none=True)
    client_request_id = fields.String(allow_none=True)
    upstream_request_id = fields.String(allow_none=True)
    created_at = fields.Integer()
    key = fields.String(allow_none=True)
    account = fields.String(allow_none=True)
    surface = fields.String()
    transport = fields.String()
    route = fields.String()
    model = fields.String(allow_none=True)
    requested_model = fields.String(allow_none=True)
    requested_tier = fields.String(allow_none=True)
    service_tier = fields.String(allow_none=True)
    reasoning_effort = fields.String(allow_none=True)
    status = fields.String(validate=validate.OneOf(STATUSES))
    http_status = fields.Integer()
    error_code = fields.String(allow_none=True)
    error_message = fields.String(allow_none=True)
    error_origin = fields.String(allow_none=True)
    error_phase = fields.String(allow_none=True)
    input_tokens = fields.Integer()
    cached_tokens = fields.Integer()
    cache_write_tokens = fields.Integer()
    output_tokens = fields.Integer()
    reasoning_tokens = fields.Integer()
    cost_microdollars = fields.Integer(allow_none=True)
    duration_ms = fields.Integer(allow_none=True)
    body_ms = fields.Integer(allow_none=True)
    queue_ms = fields.Integer(allow_none=True)
    connect_ms = fields.Integer(allow_none=True)
    first_event_ms = fields.Integer(allow_none=True)
    first_output_ms = fields.Integer(allow_none=True)
    request_bytes = fields.Integer()
    response_bytes = fields.Integer()
    client_address = fields.String()
    user_agent = fields.String()
    conversation = fields.String(allow_none=True)
    attempts = fields.Integer()
    is_prewarm = fields.Boolean()
    changes = fields.List(fields.String())
    receipt = fields.Dict()


class LogPageSchema(AdminSchema):
    """Newest first; `next` goes into `before`, null at the end."""

    logs = fields.List(fields.Nested(LogRowSchema), required=True)
    next = fields.Integer(allow_none=True, required=True)


class UsageQuerySchema(FilterSchema):
    by = fields.String(load_default="key", validate=validate.OneOf(GROUPINGS))


class UsageRowSchema(AdminSchema):
    """Sums of one group; `cost_microdollars` leaves out the `unpriced` requests."""

    key = fields.String(allow_none=True)
    account = fields.String(allow_none=True)
    model = fields.String(allow_none=True)
    day = fields.String(metadata={"description": "UTC"})
    requests = fields.Integer()
    errors = fields.Integer()
    interrupted = fields.Integer()
    unpriced = fields.Integer()
    input_tokens = fields.Integer()
    cached_tokens = fields.Integer()
    cache_write_tokens = fields.Integer()
    output_tokens = fields.Integer()
    reasoning_tokens = fields.Integer()
    cost_microdollars = fields.Integer()
    duration_ms = fields.Integer(metadata={"description": "sum"})
    first_output_ms = fields.Integer(
        metadata={"description": "sum over `first_outputs`"}
    )
    first_outputs = fields.Integer()
    cached_ratio = fields.Float(allow_none=True)


class UsageSchema(AdminSchema):
    usage = fields.List(fields.Nested(UsageRowSchema), required=True)
