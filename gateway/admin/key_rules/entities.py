"""A key and what it may be held to, each rule described once."""

from dataclasses import replace

from gateway.admin.entity import CHANGES, Field, entity, similar_fields
from gateway.settings import UNPRICED

_SHORT = (1, 128)
_COUNT = (1, 1_000_000)
_NAME = Field("name", bounds=_SHORT)
TOOL_RULES = Field(
    "tools",
    many=True,
    nullable=True,
    bounds=_SHORT,
    most=50,
    description="as in `pass file_search surface=v1 accounts=api_key`; replaces all; "
    "the last that matches decides",
    help="'pass file_search surface=v1 accounts=api_key', 'refuse web_search'; "
    "repeatable. pass, strip or refuse a type of tool; the last that matches decides.",
)
ALIASES = Field(
    "aliases",
    many=True,
    nullable=True,
    bounds=(1, 200),
    most=100,
    description="as in `gpt-5.4-nano=gpt-5.4-mini`; replaces all",
    help="'gpt-5.4-nano=gpt-5.4-mini'; repeatable. Another name for a model.",
)
# Of those of a key's limits that they name; all others stay.
LIMIT_CHANGES = (
    Field(
        "drop_limits",
        many=True,
        most=50,
        description="as in `tokens` or `tokens/7d model=gpt-5*`",
        help="'tokens', 'cost/30d model=gpt-5*'; repeatable. Take one limit away.",
    ),
    Field(
        "raise_limits",
        many=True,
        most=50,
        description="as in `tokens +2M`, `cost -5/30d`",
        help="'tokens +2M', 'cost -5/30d'; repeatable. Another maximum for one limit.",
    ),
    Field(
        "add_limits",
        many=True,
        most=50,
        description="as in `tokens 2M/7d`",
        help="As --limit, beside those there are.",
    ),
)
# What is absent stays; null takes a rule away.
KEY_CHANGE = entity(
    "KeyChange",
    Field(
        "models",
        many=True,
        nullable=True,
        bounds=_SHORT,
        most=100,
        description="names or globs",
        help="Names or globs, separated by commas.",
    ),
    Field(
        "accounts",
        many=True,
        nullable=True,
        bounds=_SHORT,
        help="Names, separated by commas.",
    ),
    Field(
        "enforce_model",
        nullable=True,
        bounds=_SHORT,
        help="Used whatever is asked for.",
        column="enforced_model",
    ),
    Field(
        "enforce_effort",
        nullable=True,
        help="The reasoning effort.",
        column="enforced_effort",
    ),
    Field(
        "enforce_tier",
        nullable=True,
        help="The service tier.",
        column="enforced_tier",
    ),
    Field("rpm", int, nullable=True, bounds=_COUNT, help="Requests a minute."),
    Field("concurrency", int, nullable=True, bounds=_COUNT, help="Requests at a time."),
    Field(
        "unpriced",
        nullable=True,
        choices=UNPRICED,
        help="What its cost limits make of a model without a price.",
    ),
    Field(
        "expires",
        nullable=True,
        description="12h, 90 days, 3 months, or a date",
        help="12h, 90 days, 3 months, or a date (UTC).",
        column="expires_at",
    ),
    Field("disabled", bool, column="is_disabled"),
    Field(
        "limits",
        many=True,
        nullable=True,
        most=50,
        description="as in `tokens 2M/7d`; replaces all limits",
        help="'tokens 2M/7d', 'cost 5.50/30d model=gpt-5*'; repeatable. tokens, "
        "input, output, cost (dollars) or requests; 1h, 7d, 3 months; with 'open' "
        "behind it, it refuses nothing while the database is away. In an update it "
        "stands for all limits.",
    ),
    TOOL_RULES,
    ALIASES,
    _NAME,
    *LIMIT_CHANGES,
)
NEW_KEY = entity(
    "NewKey",
    *(one for one in KEY_CHANGE.fields if one not in (_NAME, *LIMIT_CHANGES)),
    replace(_NAME, required=True),
)
KEY = entity(
    "Key",
    Field("id", int),
    _NAME.in_answer(),
    Field("prefix", description="to recognise it by"),
    Field("state", choices=("active", "disabled", "expired")),
    Field("old_prefix", nullable=True, description="of the token before the last"),
    Field("old_expires_at", float, nullable=True, description="which is good so long"),
    Field("created_at", int),
    Field("expires_at", float, nullable=True),
    KEY_CHANGE["models"].in_answer(nullable=False),
    *(
        KEY_CHANGE[f"enforce_{rule}"].in_answer()
        for rule in ("model", "effort", "tier")
    ),
    *(
        KEY_CHANGE[name].in_answer()
        for name in ("accounts", "rpm", "concurrency", "unpriced")
    ),
    KEY_CHANGE["limits"].in_answer(nullable=False),
    TOOL_RULES.in_answer(nullable=False),
    ALIASES.in_answer(nullable=False),
    Field("usage", dict, many=True, description="each limit's running window"),
    Field("last_used_at", float, nullable=True),
    *CHANGES,
)
KEY_LIST = entity("KeyList", Field("keys", KEY, many=True, required=True))
MADE_KEY = entity(
    "MadeKey",
    *similar_fields("name key prefix", required=True),
    Field("is_first", bool, description="from now on everybody needs a key"),
    *KEY.fields[4:6],
)
ROTATION = entity(
    "Rotation",
    Field(
        "overlap",
        nullable=True,
        default=None,
        description="as in `24h`: so long the old token is good, too",
        help="As in 24h or 3 days: so long the old key is good, too.",
    ),
)
DELETED_LOG = entity(
    "DeletedLog",
    Field("name", required=True),
    Field("rows", int, required=True, description="of the request log"),
)
