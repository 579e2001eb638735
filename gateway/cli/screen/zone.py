"""The time zone of whoever reads: the shell's, as TZ or the machine has it."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from gateway.store.log.calendar import zone_named

_LOCALTIME = Path("/etc/localtime")


def shell_zone() -> str:
    """Its name, or where it has none of this machine's, what it is ahead of UTC."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name:
        _, _, name = os.path.realpath(_LOCALTIME).partition("/zoneinfo/")
    name = "UTC" if name == "Etc/UTC" else name
    try:
        zone_named(name)
    except ValueError:
        return _offset(datetime.now().astimezone())
    return name


def zone_line() -> str:
    """What a table says of the times in it."""
    name, now = shell_zone(), datetime.now().astimezone()
    ahead = "" if name in ("UTC", _offset(now)) else f" (now UTC{_offset(now)})"
    return f"Times are in {name}{ahead}."


def _offset(moment: datetime) -> str:
    ahead = moment.utcoffset() or timedelta()
    minutes = round(ahead.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
