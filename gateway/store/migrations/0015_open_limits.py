"""Limits that refuse nothing while the database is away."""

import peewee as pw


def up(migrator, db):
    no = [pw.SQL("DEFAULT FALSE")]
    is_open = pw.BooleanField(default=False, constraints=no)
    migrator.migrate(migrator.add_column("api_key_limit", "is_open", is_open))
