"""Numbers for new rows. SQLite gives those of removed rows out again, and log rows,
bindings and counters outlive what they name."""

import peewee as pw

from gateway.repository import options
from gateway.store.models import BaseModel


def fresh_id(model: type[BaseModel]) -> int:
    """A number that no row of the table ever had."""
    name = f"last_id.{model._meta.table_name}"
    highest = model.select(pw.fn.MAX(model._meta.primary_key)).scalar() or 0
    number = int(max(highest, int(options.read(name) or 0))) + 1
    options.write(name, str(number))
    return number
