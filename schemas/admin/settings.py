"""Settings that change while the gateway runs."""

from marshmallow import fields, validate

from schemas.admin.base import AdminSchema

STRATEGIES = ("capacity_weighted", "round_robin", "fill_first")


class SettingsSchema(AdminSchema):
    strategy = fields.String(required=True, validate=validate.OneOf(STRATEGIES))


class ReloadedSchema(AdminSchema):
    """How many the gateway holds now."""

    accounts = fields.Integer(required=True)
    keys = fields.Integer(required=True)


class EmptySchema(AdminSchema):
    """No fields."""
