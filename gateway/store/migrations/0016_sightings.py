"""Failures that clients met at one process, for the others to hear of."""

import peewee as pw


def up(migrator, db):
    class SightingRow(db.Model):
        scope = pw.TextField()
        client = pw.CharField(max_length=64)
        kind = pw.CharField(max_length=32)
        member_id = pw.IntegerField()
        until = pw.BigIntegerField()
        evidence = pw.CharField(max_length=200)

        class Meta:
            table_name = "sighting"
            primary_key = pw.CompositeKey("scope", "client", "kind")
            legacy_table_names = False

    db.create_tables([SightingRow])
