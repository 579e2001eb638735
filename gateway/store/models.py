"""The tables. Times are unix milliseconds; `0` and `""` stand for "none" in keys.

Log rows and roll-ups name accounts and keys by number only: no foreign key on
purpose, for what was logged outlives the account or key it names.
"""

import time

import peewee as pw

from gateway.store.pages.threads_database import ThreadsDatabase

# One database per process: a `Store` puts its own in here when it starts.
database = ThreadsDatabase()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class BaseModel(pw.Model):
    class Meta:
        database = database
        legacy_table_names = False


class AccountRow(BaseModel):
    """One upstream login or API key, and the state it was last seen in."""

    id = pw.AutoField()
    name = pw.CharField(max_length=80, unique=True)
    kind = pw.CharField(max_length=16)
    # Who it is upstream; NULL for accounts that are just an API key. A member of
    # a shared workspace has the workspace's account id, so the user counts too.
    chatgpt_account_id = pw.CharField(max_length=80, null=True)
    chatgpt_user_id = pw.CharField(max_length=80, default="")
    email = pw.CharField(max_length=200, null=True)
    plan = pw.CharField(max_length=40, null=True)
    base_url = pw.CharField(max_length=300, null=True)
    credentials = pw.TextField()  # a JSON object, encrypted
    expires_at = pw.BigIntegerField(null=True)
    source_file = pw.TextField(null=True)
    priority = pw.IntegerField(default=0)
    concurrency = pw.IntegerField(default=0)
    has_websockets = pw.BooleanField(default=True)
    residency = pw.CharField(max_length=16, default="")
    takes_chat_parameters = pw.BooleanField(default=False)
    is_paused = pw.BooleanField(default=False)
    state_kind = pw.CharField(max_length=24, default="active")
    state_until = pw.BigIntegerField(null=True)
    state_reason = pw.CharField(max_length=200, null=True)
    state_detail = pw.TextField(null=True)  # JSON: windows and their age
    created_at = pw.BigIntegerField(default=now_ms)
    updated_at = pw.BigIntegerField(default=now_ms)

    class Meta:
        table_name = "account"
        # A second import of the same login finds its row.
        indexes = ((("chatgpt_account_id", "chatgpt_user_id"), True),)


class AccountClaimRow(BaseModel):
    """Who refreshes an account's tokens now; void once `expires_at` is past."""

    account_id = pw.IntegerField(primary_key=True)
    owner = pw.CharField(max_length=80)
    expires_at = pw.BigIntegerField()

    class Meta:
        table_name = "account_claim"


class ApiKeyRow(BaseModel):
    """A key's digest and what it may do; the key itself is never stored."""

    id = pw.AutoField()
    name = pw.CharField(max_length=128, unique=True)
    prefix = pw.CharField(max_length=24)
    digest = pw.CharField(max_length=64, unique=True)  # SHA-256, hex
    # Of the token before, which is good until then, too.
    old_prefix = pw.CharField(max_length=24, null=True)
    old_digest = pw.CharField(max_length=64, null=True)
    old_expires_at = pw.BigIntegerField(null=True)
    models = pw.TextField(null=True)  # JSON list of globs; NULL: all
    accounts = pw.TextField(null=True)  # JSON list of account ids; NULL: all
    enforced_model = pw.CharField(max_length=120, null=True)
    enforced_effort = pw.CharField(max_length=16, null=True)
    enforced_tier = pw.CharField(max_length=16, null=True)
    rpm = pw.IntegerField(null=True)
    concurrency = pw.IntegerField(null=True)
    unpriced = pw.CharField(max_length=16, null=True)
    tools = pw.TextField(null=True)  # JSON list of rules
    aliases = pw.TextField(null=True)  # JSON list of NAME=MODEL
    expires_at = pw.BigIntegerField(null=True)
    is_disabled = pw.BooleanField(default=False)
    created_at = pw.BigIntegerField(default=now_ms)
    # Whose seat it is: nobody knows a token of its, and devices sign in to it.
    user_id = pw.IntegerField(null=True, unique=True)

    class Meta:
        table_name = "api_key"


class ApiKeyLimitRow(BaseModel):
    """At most `maximum` of `measure` per window, counted from the key's creation."""

    id = pw.AutoField()
    api_key = pw.ForeignKeyField(ApiKeyRow, backref="limits", on_delete="CASCADE")
    measure = pw.CharField(max_length=16)  # tokens, input, output, cost, requests
    window = pw.CharField(max_length=8)  # 1m, 5h, 1d, 7d, 30d
    maximum = pw.BigIntegerField()  # tokens, requests or microdollars
    model = pw.CharField(max_length=120, null=True)
    is_open = pw.BooleanField(default=False)

    class Meta:
        table_name = "api_key_limit"


class LimitCounterRow(BaseModel):
    limit_id = pw.IntegerField()
    window_start = pw.BigIntegerField()
    used = pw.BigIntegerField()

    class Meta:
        table_name = "limit_counter"
        primary_key = pw.CompositeKey("limit_id", "window_start")


class RequestLog(BaseModel):
    """One exchange. Never a prompt, never an answer."""

    id = pw.AutoField()
    request_id = pw.CharField(max_length=32, unique=True)
    response_id = pw.CharField(max_length=80, null=True, index=True)
    client_request_id = pw.CharField(max_length=120, null=True)
    upstream_request_id = pw.CharField(max_length=120, null=True)
    created_at = pw.BigIntegerField()
    api_key_id = pw.IntegerField(null=True)
    account_id = pw.IntegerField(null=True)
    surface = pw.CharField(max_length=16)
    transport = pw.CharField(max_length=12)
    route = pw.CharField(max_length=24)
    model = pw.CharField(max_length=120, null=True)
    requested_model = pw.CharField(max_length=120, null=True)
    requested_tier = pw.CharField(max_length=16, null=True)
    service_tier = pw.CharField(max_length=16, null=True)
    reasoning_effort = pw.CharField(max_length=16, null=True)
    status = pw.CharField(max_length=16)
    http_status = pw.IntegerField(default=0)
    error_code = pw.CharField(max_length=80, null=True)
    error_message = pw.CharField(max_length=300, null=True)
    error_origin = pw.CharField(max_length=16, null=True)
    error_phase = pw.CharField(max_length=24, null=True)
    input_tokens = pw.IntegerField(default=0)
    cached_tokens = pw.IntegerField(default=0)
    cache_write_tokens = pw.IntegerField(default=0)
    output_tokens = pw.IntegerField(default=0)
    reasoning_tokens = pw.IntegerField(default=0)
    cost_microdollars = pw.BigIntegerField(null=True)
    duration_ms = pw.IntegerField(null=True)
    body_ms = pw.IntegerField(null=True)
    queue_ms = pw.IntegerField(null=True)
    connect_ms = pw.IntegerField(null=True)
    first_event_ms = pw.IntegerField(null=True)
    first_output_ms = pw.IntegerField(null=True)
    request_bytes = pw.BigIntegerField(default=0)
    response_bytes = pw.BigIntegerField(default=0)
    client_address = pw.CharField(max_length=64, default="")
    user_agent = pw.CharField(max_length=200, default="")
    conversation = pw.CharField(max_length=64, null=True)
    attempts = pw.IntegerField(default=0)
    is_prewarm = pw.BooleanField(default=False)
    changes = pw.TextField(default="[]")  # JSON list
    receipt = pw.TextField(default="{}")  # JSON object
    device_id = pw.IntegerField(null=True)  # that signed in to the key's seat


# The log page walks one of these, newest first. Each holds every column that a
# filter may name, so that rows are fetched only for the page: the largest key's
# 470,000 of 2,000,000 rows are passed over in 35 ms. Retention reads the first.
for _name, _columns in (
    ("created_at", ("created_at", "id", "status")),
    ("api_key_id", ("api_key_id", "created_at", "id", "account_id", "model", "status")),
    ("account_id", ("account_id", "created_at", "id", "api_key_id", "model", "status")),
    ("model", ("model", "created_at", "id", "api_key_id", "account_id", "status")),
    ("conversation", ("conversation", "created_at", "id")),
):
    _fields = [getattr(RequestLog, column) for column in _columns]
    RequestLog.add_index(RequestLog.index(*_fields, name=f"request_log_by_{_name}"))
_ALL = ("created_at", "id", "status", "api_key_id", "account_id", "model")
for _name, _indexed in (("failed", _ALL), ("origin", ("error_origin", *_ALL))):
    _fields = [getattr(RequestLog, column) for column in _indexed]
    RequestLog.add_index(
        RequestLog.index(
            *_fields,
            name=f"request_log_by_{_name}",
            where=RequestLog.status != "success",
        )
    )


class UsageBase(BaseModel):
    """Sums over the log rows of one period, key, account and model.

    `cost_microdollars` leaves out the `unpriced` requests; `first_output_ms` is
    the sum over `first_outputs` requests.
    """

    # The key's columns come first, in its order: else SQLite's integrity check (3.40)
    # takes a table without row ids for damaged.
    start = pw.BigIntegerField()  # of the hour, or of the UTC day
    api_key_id = pw.IntegerField()
    account_id = pw.IntegerField()
    model = pw.CharField(max_length=120)
    requests = pw.BigIntegerField(default=0)
    errors = pw.BigIntegerField(default=0)
    interrupted = pw.BigIntegerField(default=0)
    unpriced = pw.BigIntegerField(default=0)
    input_tokens = pw.BigIntegerField(default=0)
    cached_tokens = pw.BigIntegerField(default=0)
    cache_write_tokens = pw.BigIntegerField(default=0)
    output_tokens = pw.BigIntegerField(default=0)
    reasoning_tokens = pw.BigIntegerField(default=0)
    cost_microdollars = pw.BigIntegerField(default=0)
    duration_ms = pw.BigIntegerField(default=0)
    first_output_ms = pw.BigIntegerField(default=0)
    first_outputs = pw.BigIntegerField(default=0)


class UsageHour(UsageBase):
    """Kept for ever, as is `UsageDay`."""

    class Meta:
        # Serves the upsert, and the reports' partial days (by the prefix `start`).
        primary_key = pw.CompositeKey("start", "api_key_id", "account_id", "model")


class UsageDay(UsageBase):
    """The hours of one UTC day: 30-day reports read 24 times fewer rows."""

    class Meta:
        # Serves the upsert, and the reports' whole days (by the prefix `start`).
        primary_key = pw.CompositeKey("start", "api_key_id", "account_id", "model")


class RuleDay(BaseModel):
    """How many requests of a UTC day met a rule: an entry of `rule_counts`."""

    start = pw.BigIntegerField()
    kind = pw.CharField(max_length=16)  # changed, refused, new shape
    rule = pw.CharField(max_length=64)
    requests = pw.BigIntegerField()

    class Meta:
        # Serves the upsert, and the reports and retention (by the prefix `start`).
        primary_key = pw.CompositeKey("start", "kind", "rule")


class BindingRow(BaseModel):
    """A conversation's account. `key` is the pool's own digest of what binds."""

    key = pw.CharField(max_length=80, primary_key=True)
    account_id = pw.IntegerField()
    used_at = pw.BigIntegerField(index=True)  # newest at start; oldest to drop

    class Meta:
        table_name = "binding"


class AuditLog(BaseModel):
    id = pw.AutoField()
    at = pw.BigIntegerField(default=now_ms)
    actor = pw.CharField(max_length=80)
    action = pw.CharField(max_length=80)
    target = pw.CharField(max_length=200)
    detail = pw.TextField(default="{}")  # JSON object without secrets


class SettingRow(BaseModel):
    name = pw.CharField(max_length=80, primary_key=True)
    value = pw.TextField()

    class Meta:
        table_name = "setting"
