"""The first tables. A frozen copy: later changes are migrations of their own."""

import peewee as pw
from playhouse.sqlite_ext import AutoIncrementField


def up(migrator, db):
    # The rows in the order of their key, and no second copy of the key.
    clustered = isinstance(db, pw.SqliteDatabase)
    # Never given twice: the log and the counters outlive what the number named.
    Number = AutoIncrementField if clustered else pw.AutoField

    class Table(db.Model):
        class Meta:
            legacy_table_names = False

    class Account(Table):
        id = Number()
        name = pw.CharField(max_length=80, unique=True)
        kind = pw.CharField(max_length=16)
        chatgpt_account_id = pw.CharField(max_length=80, null=True)
        chatgpt_user_id = pw.CharField(max_length=80)
        email = pw.CharField(max_length=200, null=True)
        plan = pw.CharField(max_length=40, null=True)
        base_url = pw.CharField(max_length=300, null=True)
        credentials = pw.TextField()
        expires_at = pw.BigIntegerField(null=True)
        source_file = pw.TextField(null=True)
        priority = pw.IntegerField()
        concurrency = pw.IntegerField()
        has_websockets = pw.BooleanField()
        is_paused = pw.BooleanField()
        state_kind = pw.CharField(max_length=24)
        state_until = pw.BigIntegerField(null=True)
        state_reason = pw.CharField(max_length=200, null=True)
        state_detail = pw.TextField(null=True)
        created_at = pw.BigIntegerField()
        updated_at = pw.BigIntegerField()

        class Meta:
            indexes = ((("chatgpt_account_id", "chatgpt_user_id"), True),)

    class AccountClaim(Table):
        account_id = pw.IntegerField(primary_key=True)
        owner = pw.CharField(max_length=80)
        expires_at = pw.BigIntegerField()

    class ApiKey(Table):
        id = Number()
        name = pw.CharField(max_length=128, unique=True)
        prefix = pw.CharField(max_length=24)
        digest = pw.CharField(max_length=64, unique=True)
        models = pw.TextField(null=True)
        accounts = pw.TextField(null=True)
        enforced_model = pw.CharField(max_length=120, null=True)
        enforced_effort = pw.CharField(max_length=16, null=True)
        enforced_tier = pw.CharField(max_length=16, null=True)
        rpm = pw.IntegerField(null=True)
        concurrency = pw.IntegerField(null=True)
        expires_at = pw.BigIntegerField(null=True)
        is_disabled = pw.BooleanField()
        created_at = pw.BigIntegerField()

    class ApiKeyLimit(Table):
        id = Number()
        api_key = pw.ForeignKeyField(ApiKey, on_delete="CASCADE")
        measure = pw.CharField(max_length=16)
        window = pw.CharField(max_length=8)
        maximum = pw.BigIntegerField()
        model = pw.CharField(max_length=120, null=True)

    class LimitCounter(Table):
        limit_id = pw.IntegerField()
        window_start = pw.BigIntegerField()
        used = pw.BigIntegerField()

        class Meta:
            primary_key = pw.CompositeKey("limit_id", "window_start")
            without_rowid = clustered

    class RequestLog(Table):
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
        http_status = pw.IntegerField()
        error_code = pw.CharField(max_length=80, null=True)
        error_message = pw.CharField(max_length=300, null=True)
        error_origin = pw.CharField(max_length=16, null=True)
        error_phase = pw.CharField(max_length=24, null=True)
        input_tokens = pw.IntegerField()
        cached_tokens = pw.IntegerField()
        cache_write_tokens = pw.IntegerField()
        output_tokens = pw.IntegerField()
        reasoning_tokens = pw.IntegerField()
        cost_microdollars = pw.BigIntegerField(null=True)
        duration_ms = pw.IntegerField(null=True)
        body_ms = pw.IntegerField(null=True)
        queue_ms = pw.IntegerField(null=True)
        connect_ms = pw.IntegerField(null=True)
        first_event_ms = pw.IntegerField(null=True)
        first_output_ms = pw.IntegerField(null=True)
        request_bytes = pw.BigIntegerField()
        response_bytes = pw.BigIntegerField()
        client_address = pw.CharField(max_length=64)
        user_agent = pw.CharField(max_length=200)
        conversation = pw.CharField(max_length=64, null=True)
        attempts = pw.IntegerField()
        is_prewarm = pw.BooleanField()
        changes = pw.TextField()
        receipt = pw.TextField()

    for _name, _columns in (
        ("created_at", ("created_at", "id", "status")),
        (
            "api_key_id",
            ("api_key_id", "created_at", "id", "account_id", "model", "status"),
        ),
        (
            "account_id",
            ("account_id", "created_at", "id", "api_key_id", "model", "status"),
        ),
        ("model", ("model", "created_at", "id", "api_key_id", "account_id", "status")),
    ):
        _fields = [getattr(RequestLog, column) for column in _columns]
        RequestLog.add_index(RequestLog.index(*_fields, name=f"request_log_by_{_name}"))
    RequestLog.add_index(
        RequestLog.index(
            RequestLog.created_at,
            RequestLog.id,
            RequestLog.status,
            RequestLog.api_key_id,
            RequestLog.account_id,
            RequestLog.model,
            name="request_log_by_failed",
            where=RequestLog.status != "success",
        )
    )

    class UsageBase(Table):
        start = pw.BigIntegerField()
        api_key_id = pw.IntegerField()
        account_id = pw.IntegerField()
        model = pw.CharField(max_length=120)
        requests = pw.BigIntegerField()
        errors = pw.BigIntegerField()
        interrupted = pw.BigIntegerField()
        unpriced = pw.BigIntegerField()
        input_tokens = pw.BigIntegerField()
        cached_tokens = pw.BigIntegerField()
        cache_write_tokens = pw.BigIntegerField()
        output_tokens = pw.BigIntegerField()
        reasoning_tokens = pw.BigIntegerField()
        cost_microdollars = pw.BigIntegerField()
        duration_ms = pw.BigIntegerField()
        first_output_ms = pw.BigIntegerField()
        first_outputs = pw.BigIntegerField()

    class UsageHour(UsageBase):
        class Meta:
            primary_key = pw.CompositeKey("start", "api_key_id", "account_id", "model")
            without_rowid = clustered

    class UsageDay(UsageBase):
        class Meta:
            primary_key = pw.CompositeKey("start", "api_key_id", "account_id", "model")
            without_rowid = clustered

    class Binding(Table):
        key = pw.CharField(max_length=80, primary_key=True)
        account_id = pw.IntegerField()
        used_at = pw.BigIntegerField(index=True)

    class AuditLog(Table):
        id = pw.AutoField()
        at = pw.BigIntegerField()
        actor = pw.CharField(max_length=80)
        action = pw.CharField(max_length=80)
        target = pw.CharField(max_length=200)
        detail = pw.TextField()

    class Setting(Table):
        name = pw.CharField(max_length=80, primary_key=True)
        value = pw.TextField()

    db.create_tables(
        [
            Account,
            AccountClaim,
            ApiKey,
            ApiKeyLimit,
            LimitCounter,
            RequestLog,
            UsageHour,
            UsageDay,
            Binding,
            AuditLog,
            Setting,
        ]
    )
