"""What the admin API tells and takes about prices."""

from gateway.admin.costs.recost import SUMMED
from gateway.admin.entities import USAGE_QUERY
from gateway.admin.entity import Field, entity, similar_fields

_SINCE = USAGE_QUERY["since"]
_RATE = entity(
    "Price",
    Field("models", many=True, description="names or globs"),
    Field("account", nullable=True, description="whose own it is"),
    Field("tier"),
    Field("above", int, description="for requests with more input tokens"),
    *similar_fields("input output", float, description="dollars a million tokens"),
    *similar_fields("cached cache_write", float, nullable=True),
    Field("source"),
    Field("date", nullable=True, description="as of when"),
)
PRICE_QUERY = entity("PriceQuery", *similar_fields("model account", bounds=(1, 200)))
PRICE_LIST = entity(
    "PriceList",
    Field("file", nullable=True, description="the owner's, which goes first"),
    Field(
        "problem", nullable=True, description="why the file's last state is not used"
    ),
    Field("prices", _RATE, many=True, required=True),
)
_FINDING = entity(
    "PriceFinding",
    Field("problem", choices=("missing", "recost", "old", "account")),
    *similar_fields("model tier account", nullable=True),
    Field("requests", int, nullable=True),
    Field("told"),
)
CHECK_QUERY = entity("PriceCheckQuery", _SINCE)
PRICE_FINDINGS = entity("PriceFindings", Field("findings", _FINDING, many=True))
RECOST = entity(
    "Recost",
    _SINCE,
    Field("after", int, nullable=True, default=None, bounds=(0, 2**63 - 1)),
    Field("dry", bool, default=False, description="change nothing"),
)
_RECOSTED_ROW = entity(
    "RecostedModel", Field("model"), *similar_fields(" ".join(SUMMED), int)
)
RECOSTED = entity(
    "Recosted",
    Field("models", _RECOSTED_ROW, many=True, required=True),
    Field("next", int, nullable=True, required=True, description="`after` of the next"),
)
