"""A key's other names for models."""

import peewee as pw


def up(migrator, db):
    migrator.migrate(migrator.add_column("api_key", "aliases", pw.TextField(null=True)))
