"""An account's residency, and what a compatible server takes."""

import peewee as pw


def up(migrator, db):
    residency = pw.CharField(max_length=16, default="")
    takes_parameters = pw.BooleanField(default=False)
    migrator.migrate(
        migrator.add_column("account", "residency", residency),
        migrator.add_column("account", "takes_chat_parameters", takes_parameters),
    )
