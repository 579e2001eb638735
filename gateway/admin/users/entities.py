"""People and devices as the admin API shows and takes them."""

from dataclasses import replace

from gateway.admin.entity import Field, entity, similar_fields
from gateway.admin.key_rules.entities import NEW_KEY
from gateway.oauth.devices import EndReason

_NAME = (1, 80)
INVITATION = entity(
    "Invitation",
    *(one for one in NEW_KEY.fields if one.name not in ("name", "disabled")),
    Field("name", required=True, bounds=_NAME),
    Field(
        "key",
        nullable=True,
        default=None,
        bounds=(1, 128),
        description="this one becomes the seat, and its token ends",
    ),
)
INVITED = entity(
    "Invited",
    Field("user", required=True),
    Field("token", nullable=True, description="behind /dashboard/link#; none needed"),
    Field("expires_at", float, nullable=True),
    Field("public_url", description="empty where none is set"),
)
DEVICE = entity(
    "Device",
    Field("id", int),
    *similar_fields("name seat flow address user_agent refresh_address"),
    Field("key_id", int),
    *similar_fields("created_at refreshed_at refresh_expires_at", float),
    Field("ends_at", float, nullable=True, description="none: it was not ended"),
    Field("end_reason", nullable=True, choices=tuple(EndReason)),
)
DEVICE_LIST = entity("DeviceList", Field("devices", DEVICE, many=True, required=True))
DEVICE_QUERY = entity("DeviceQuery", Field("person", bounds=_NAME, default=None))
SIGN_OUT = entity(
    "SignOut",
    Field("now", bool, default=False, description="from its next turn on"),
)
PERSON = entity(
    "Person",
    Field("id", int),
    *similar_fields("person role seat"),
    Field("state", choices=("active", "invited", "disabled")),
    Field("devices", int, description="that are not over"),
    Field("last_sign_in_at", float, nullable=True),
    Field("signed_in", DEVICE, many=True, description="of one person: the devices"),
)
PERSON_LIST = entity("PersonList", Field("people", PERSON, many=True, required=True))
PERSON_CHANGE = entity(
    "PersonChange", replace(NEW_KEY["disabled"], required=True, column="")
)
