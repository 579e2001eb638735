"""A key's token before the present one, good for a while after a rotation."""

import peewee as pw


def up(migrator, db):
    migrator.migrate(
        migrator.add_column(
            "api_key", "old_prefix", pw.CharField(max_length=24, null=True)
        ),
        migrator.add_column(
            "api_key", "old_digest", pw.CharField(max_length=64, null=True)
        ),
        migrator.add_column("api_key", "old_expires_at", pw.BigIntegerField(null=True)),
    )
