"""Accounts in the admin API. Times are unix seconds."""

from marshmallow import fields, validate

from schemas.admin.base import NAME, AdminSchema

PRIORITY = validate.Range(min=-1000, max=100_000)
CONCURRENCY = validate.Range(min=0, max=100_000)


class WindowSchema(AdminSchema):
    """A rate-limit window as upstream last told it, `age` seconds ago."""

    name = fields.String()
    used_percent = fields.Float()
    window_minutes = fields.Integer(allow_none=True)
    resets_at = fields.Float(allow_none=True)
    seen_at = fields.Float()
    age = fields.Float()
    live = fields.Boolean(metadata={"description": "told by an answer, not polled"})


class TroubleSchema(AdminSchema):
    message = fields.String()
    at = fields.Float()


class AccountSchema(AdminSchema):
    """One upstream account and how it fares."""

    id = fields.Integer()
    name = fields.String()
    kind = fields.String(validate=validate.OneOf(["chatgpt", "api_key"]))
    email = fields.String(allow_none=True)
    plan = fields.String(allow_none=True)
    chatgpt_account_id = fields.String(allow_none=True)
    base_url = fields.String(allow_none=True)
    priority = fields.Integer(metadata={"description": "lower goes first"})
    concurrency = fields.Integer(allow_none=True)
    websockets = fields.Boolean()
    source_file = fields.String(allow_none=True)
    token_expires_at = fields.Float(allow_none=True)
    state = fields.String(
        validate=validate.OneOf(
            ["active", "cooling", "limited", "paused", "reauth_required"]
        )
    )
    why = fields.String()
    until = fields.Float(allow_none=True)
    windows = fields.List(fields.Nested(WindowSchema))
    has_credits = fields.Boolean()
    in_flight = fields.Integer()
    failures = fields.Integer(metadata={"description": "consecutive"})
    last_error = fields.Nested(TroubleSchema, allow_none=True)
    models = fields.Integer(allow_none=True)


class AccountListSchema(AdminSchema):
    accounts = fields.List(fields.Nested(AccountSchema), required=True)


class NewAccountSchema(AdminSchema):
    """An OpenAI-compatible endpoint with an API key."""

    name = fields.String(required=True, validate=NAME)
    base_url = fields.String(required=True, validate=validate.Length(max=300))
    api_key = fields.String(
        required=True, load_only=True, validate=validate.Length(min=1, max=2000)
    )
    priority = fields.Integer(strict=True, validate=PRIORITY)
    concurrency = fields.Integer(strict=True, validate=CONCURRENCY)
    websockets = fields.Boolean()


class ImportSchema(AdminSchema):
    """The content of an `auth.json` that `codex login` wrote."""

    auth = fields.Dict(required=True)
    name = fields.String(load_default=None, allow_none=True, validate=NAME)


class ImportedSchema(AdminSchema):
    name = fields.String(required=True)
    is_new = fields.Boolean(required=True)
    kept_newer = fields.Boolean(
        metadata={"description": "the stored tokens are newer and were kept"}
    )


class AccountChangeSchema(AdminSchema):
    """What is absent stays."""

    name = fields.String(validate=NAME)
    priority = fields.Integer(strict=True, validate=PRIORITY)
    concurrency = fields.Integer(strict=True, validate=CONCURRENCY)
    websockets = fields.Boolean()


class ProbeSchema(AdminSchema):
    model = fields.String(load_default=None, allow_none=True, validate=NAME)


class ProbedSchema(AdminSchema):
    """What became of one small request at the account."""

    account = fields.String(required=True)
    ok = fields.Boolean(required=True)
    model = fields.String(required=True, allow_none=True)
    status = fields.Integer(allow_none=True)
    error = fields.String(allow_none=True)
    code = fields.String(allow_none=True)
    first_event_ms = fields.Integer(allow_none=True)
    duration_ms = fields.Integer()
    state = fields.String()
