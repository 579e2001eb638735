"""What of this release's schema a database has."""

import peewee as pw
from playhouse.migrations import Runner  # type: ignore[import-untyped]

from gateway.store.database import MIGRATIONS


def missing_steps(database: pw.Database) -> list[str]:
    """The migrations that `migrate` would apply to a connected database."""
    steps = Runner(database, str(MIGRATIONS)).status()
    return [step.name for step in steps if step.path and not step.applied]
