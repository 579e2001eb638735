"""A key's rules about tools."""

import peewee as pw


def up(migrator, db):
    migrator.migrate(migrator.add_column("api_key", "tools", pw.TextField(null=True)))
