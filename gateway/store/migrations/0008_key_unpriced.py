"""What a key's cost limits make of a model without a price."""

import peewee as pw


def up(migrator, db):
    migrator.migrate(
        migrator.add_column(
            "api_key", "unpriced", pw.CharField(max_length=16, null=True)
        )
    )
