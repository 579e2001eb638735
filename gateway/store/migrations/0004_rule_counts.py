"""How often each rule was met, by day."""

import peewee as pw


def up(migrator, db):
    class RuleDay(db.Model):
        start = pw.BigIntegerField()
        kind = pw.CharField(max_length=16)
        rule = pw.CharField(max_length=64)
        requests = pw.BigIntegerField()

        class Meta:
            legacy_table_names = False
            primary_key = pw.CompositeKey("start", "kind", "rule")
            without_rowid = isinstance(db, pw.SqliteDatabase)

    db.create_tables([RuleDay])
