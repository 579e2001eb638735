"""Time zones by name, and this machine's."""

import os
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

_LOCALTIME = Path("/etc/localtime")


def zone_named(name: str) -> tzinfo:
    """The zone of "Europe/Berlin", "UTC" or "+05:30". Raises ValueError."""
    if name == "UTC":
        return UTC
    offset = re.fullmatch(r"([+-])(\d\d):(\d\d)", name, re.ASCII)
    try:
        if offset is None:
            return ZoneInfo(name)
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-size if offset[1] == "-" else size)
    except (OSError, KeyError, ValueError) as error:  # a folder, none of this machine
        raise ValueError(f"{name!r} is no time zone") from error


def machine_zone() -> str:
    """The zone's name, as TZ or the machine has it; where it has none, its offset."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name:
        _, _, name = os.path.realpath(_LOCALTIME).partition("/zoneinfo/")
    name = "UTC" if name == "Etc/UTC" else name
    try:
        zone_named(name)
    except ValueError:
        return offset_of(datetime.now().astimezone())
    return name


def offset_of(moment: datetime) -> str:
    """What a moment's zone is ahead of UTC, as in "+01:00"."""
    ahead = moment.utcoffset() or timedelta()
    minutes = round(ahead.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
