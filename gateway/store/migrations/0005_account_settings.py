"""An account's residency, and what a compatible server takes."""

import peewee as pw


def up(migrator, db):
    empty = [pw.SQL("DEFAULT ''")]
    residency = pw.CharField(max_length=16, default="", constraints=empty)
    no = [pw.SQL("DEFAULT FALSE")]
    takes_parameters = pw.BooleanField(default=False, constraints=no)
    migrator.migrate(
        migrator.add_column("account", "residency", residency),
        migrator.add_column("account", "takes_chat_parameters", takes_parameters),
    )
