"""What the processes that serve from one database have been granted of a limit."""

import peewee as pw


def up(migrator, db):
    class GrantRow(db.Model):
        resource = pw.CharField(max_length=40)
        window_start = pw.BigIntegerField()
        member_id = pw.IntegerField(index=True)
        granted = pw.BigIntegerField()
        used = pw.BigIntegerField()
        held = pw.BigIntegerField()
        written_at = pw.BigIntegerField()

        class Meta:
            table_name = "limit_grant"
            legacy_table_names = False
            primary_key = pw.CompositeKey("resource", "window_start", "member_id")

    class AskRow(db.Model):
        resource = pw.CharField(max_length=40)
        window_start = pw.BigIntegerField()
        member_id = pw.IntegerField(index=True)
        amount = pw.BigIntegerField()
        since = pw.BigIntegerField()
        written_at = pw.BigIntegerField()

        class Meta:
            table_name = "limit_ask"
            legacy_table_names = False
            primary_key = pw.CompositeKey("resource", "window_start", "member_id")

    db.create_tables([GrantRow, AskRow])
