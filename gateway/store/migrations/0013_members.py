"""The processes that serve from one database, and what they claim."""

import peewee as pw
from playhouse.sqlite_ext import AutoIncrementField


def up(migrator, db):
    is_sqlite = isinstance(db, pw.SqliteDatabase)

    class MemberRow(db.Model):
        id = (AutoIncrementField if is_sqlite else pw.AutoField)()
        directory = pw.CharField(max_length=100)
        place = pw.CharField(max_length=300)
        url = pw.CharField(max_length=300, null=True)
        version = pw.CharField(max_length=40)
        state = pw.CharField(max_length=8)
        heartbeat = pw.BigIntegerField(default=0)
        acknowledged = pw.BigIntegerField(default=0)
        batch = pw.BigIntegerField(default=0)
        started_at = pw.BigIntegerField()
        ended_at = pw.BigIntegerField(null=True)

        class Meta:
            table_name = "member"
            legacy_table_names = False

    class ClaimRow(db.Model):
        name = pw.CharField(max_length=120, primary_key=True)
        member_id = pw.IntegerField()
        until = pw.BigIntegerField()

        class Meta:
            table_name = "claim"
            legacy_table_names = False

    db.create_tables([MemberRow, ClaimRow])
