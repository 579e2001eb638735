"""What pages read: minutes and conversations, failures by origin."""

import peewee as pw


def up(migrator, db):
    class UsageMinute(db.Model):
        start = pw.BigIntegerField()
        origin = pw.CharField(max_length=16)
        requests = pw.BigIntegerField()
        switches = pw.BigIntegerField()
        unpriced = pw.BigIntegerField()
        input_tokens = pw.BigIntegerField()
        cached_tokens = pw.BigIntegerField()
        cache_write_tokens = pw.BigIntegerField()
        output_tokens = pw.BigIntegerField()
        reasoning_tokens = pw.BigIntegerField()
        cost_microdollars = pw.BigIntegerField()

        class Meta:
            legacy_table_names = False
            primary_key = pw.CompositeKey("start", "origin")
            without_rowid = isinstance(db, pw.SqliteDatabase)

    class Conversation(db.Model):
        id = pw.BigAutoField()
        name = pw.CharField(max_length=64, unique=True)
        api_key_id = pw.IntegerField(null=True)
        first_at = pw.BigIntegerField()
        last_at = pw.BigIntegerField()
        accounts = pw.CharField(max_length=255)
        account_id = pw.IntegerField()
        model = pw.CharField(max_length=120)
        last_input = pw.BigIntegerField()
        turns = pw.BigIntegerField()
        errors = pw.BigIntegerField()
        switches = pw.BigIntegerField()
        input_tokens = pw.BigIntegerField()
        cached_tokens = pw.BigIntegerField()
        output_tokens = pw.BigIntegerField()
        cost_microdollars = pw.BigIntegerField()
        unpriced = pw.BigIntegerField()
        repaid_tokens = pw.BigIntegerField()
        repaid_microdollars = pw.BigIntegerField()

        class Meta:
            legacy_table_names = False
            indexes = (
                (("last_at", "id"), False),
                (("api_key_id", "last_at", "id"), False),
            )

    Conversation.add_index(
        Conversation.index(
            Conversation.last_at,
            Conversation.id,
            name="conversation_by_switched",
            where=Conversation.switches > 0,
        )
    )
    db.create_tables([UsageMinute, Conversation])
    db.execute_sql(
        "CREATE INDEX request_log_by_origin ON request_log (error_origin, created_at, "
        "id, status, api_key_id, account_id, model) WHERE status <> 'success'"
    )
    db.execute_sql(
        "CREATE INDEX request_log_by_conversation "
        "ON request_log (conversation, created_at, id)"
    )
