"""The time zone of whoever reads, as a table says it."""

from datetime import datetime

from gateway.settings.zones import machine_zone, offset_of


def zone_line() -> str:
    """What a table says of the times in it."""
    name, now = machine_zone(), datetime.now().astimezone()
    ahead = "" if name in ("UTC", offset_of(now)) else f" (now UTC{offset_of(now)})"
    return f"Times are in {name}{ahead}."
