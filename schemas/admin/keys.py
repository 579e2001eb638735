"""API keys in the admin API. Times are unix seconds."""

from marshmallow import fields, validate

from schemas.admin.base import NAME, AdminSchema

COUNT = validate.Range(min=1, max=1_000_000)


class KeySchema(AdminSchema):
    """What a key may do; never the key itself."""

    id = fields.Integer()
    name = fields.String()
    prefix = fields.String(metadata={"description": "to recognise it by"})
    state = fields.String(validate=validate.OneOf(["active", "disabled", "expired"]))
    created_at = fields.Integer()
    expires_at = fields.Float(allow_none=True)
    models = fields.List(fields.String())
    enforce_model = fields.String(allow_none=True)
    enforce_effort = fields.String(allow_none=True)
    enforce_tier = fields.String(allow_none=True)
    accounts = fields.List(fields.String(), allow_none=True)
    rpm = fields.Integer(allow_none=True)
    concurrency = fields.Integer(allow_none=True)
    limits = fields.List(fields.String())
    usage = fields.List(
        fields.Dict(), metadata={"description": "each limit's running window"}
    )


class KeyListSchema(AdminSchema):
    keys = fields.List(fields.Nested(KeySchema), required=True)


class KeyRulesSchema(AdminSchema):
    """What is absent stays; null takes a rule away."""

    models = fields.List(
        fields.String(validate=NAME),
        allow_none=True,
        validate=validate.Length(max=100),
        metadata={"description": "names or globs"},
    )
    accounts = fields.List(fields.String(validate=NAME), allow_none=True)
    enforce_model = fields.String(allow_none=True, validate=NAME)
    enforce_effort = fields.String(allow_none=True)
    enforce_tier = fields.String(allow_none=True)
    rpm = fields.Integer(strict=True, allow_none=True, validate=COUNT)
    concurrency = fields.Integer(strict=True, allow_none=True, validate=COUNT)
    expires = fields.String(
        allow_none=True, metadata={"description": "12h, 90d, 8w or a date"}
    )
    disabled = fields.Boolean()
    limits = fields.List(
        fields.String(),
        allow_none=True,
        validate=validate.Length(max=50),
        metadata={"description": "as in `tokens 2M/7d`; replaces all limits"},
    )


class NewKeySchema(KeyRulesSchema):
    name = fields.String(required=True, validate=NAME)


class KeyChangeSchema(KeyRulesSchema):
    name = fields.String(validate=NAME)


class MadeKeySchema(AdminSchema):
    """The only time the key itself is shown."""

    name = fields.String(required=True)
    key = fields.String(required=True)
    prefix = fields.String(required=True)
    is_first = fields.Boolean(
        metadata={"description": "from now on everybody needs a key"}
    )
