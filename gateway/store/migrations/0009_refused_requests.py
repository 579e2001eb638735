"""Requests that were turned away at the door."""

import peewee as pw


def up(migrator, db):
    class RefusedRequest(db.Model):
        id = pw.AutoField()
        request_id = pw.CharField(max_length=32, null=True, index=True)
        created_at = pw.BigIntegerField(index=True)
        api_key_id = pw.IntegerField(null=True)
        client_address = pw.CharField(max_length=64)
        surface = pw.CharField(max_length=16)
        door = pw.CharField(max_length=40)
        http_status = pw.IntegerField()
        error_code = pw.CharField(max_length=80)
        reason = pw.CharField(max_length=200)
        requests = pw.IntegerField()

        class Meta:
            legacy_table_names = False

    db.create_tables([RefusedRequest])
