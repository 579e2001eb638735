"""What is wrong with the settings themselves: names, values, and where they lead."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from environs import EnvValidationError

from gateway.doctor.client import describe_error
from gateway.doctor.findings import Finding, fail, ok, warn
from gateway.pricing.price_list import UnusablePrices
from gateway.pricing.pricing import read_own
from gateway.settings import Settings
from gateway.settings.suggestions import nearest

PREFIX = "GATEWAY_"
# Read by commands only.
OTHER_NAMES = frozenset({"GATEWAY_API_KEY"})
CONNECT_SECONDS = 5.0
_ASSIGNED = re.compile(r"^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=", re.MULTILINE)


def known_names() -> frozenset[str]:
    return OTHER_NAMES | {PREFIX + field.name.upper() for field in fields(Settings)}


def names_of_settings(environ: Mapping[str, str], dotenv: Path) -> list[Finding]:
    """The names that begin like settings and are none, with the nearest that is one."""
    places = [(name, "the environment") for name in environ]
    if dotenv.is_file():
        text = dotenv.read_text("utf-8", errors="replace")
        places += [(name, str(dotenv)) for name in _ASSIGNED.findall(text)]
    found = [
        _unknown(name, place)
        for name, place in sorted(places)
        if name.upper().startswith(PREFIX) and name not in known_names()
    ]
    return found or [ok("names", "every GATEWAY_ name is a setting")]


def _unknown(name: str, place: str) -> Finding:
    # They all begin alike.
    near = nearest(name, known_names(), cutoff=0.7)
    asked = f"; did you mean {near[0]}?" if near else ""
    fix = f"{near[0]}=…" if near else "docs/settings.md lists the names"
    return fail("names", f"{name} in {place} is no setting{asked}", fix)


def values_of_settings(error: EnvValidationError) -> list[Finding]:
    """A finding for each value that cannot be read."""
    messages = error.error_messages
    if not isinstance(messages, dict):
        return [fail("values", str(error))]
    return [
        fail("values", f"{name}: {' '.join(map(str, reasons))}", f"{name}=…")
        for name, reasons in messages.items()
    ]


def own_prices(file: Path | None) -> Finding:
    """Whether the owner's price list can be used."""
    try:
        read_own(file)
    except UnusablePrices as error:
        return fail("prices", str(error), "GATEWAY_PRICES: docs/prices.md has the form")
    return ok("prices", "no list of your own" if file is None else f"{file}: read")


async def upstreams(
    session: aiohttp.ClientSession, urls: Iterable[str]
) -> list[Finding]:
    """Whether something answers at each origin; any status is an answer."""
    # Without credentials: it is printed.
    parts = [urlsplit(url) for url in urls]
    origins = {f"{one.scheme}://{one.netloc.rpartition('@')[2]}/" for one in parts}
    return [await _answers(session, origin) for origin in sorted(origins)]


async def _answers(session: aiohttp.ClientSession, origin: str) -> Finding:
    timeout = aiohttp.ClientTimeout(total=CONNECT_SECONDS)
    try:
        async with session.get(origin, timeout=timeout, allow_redirects=False) as got:
            return ok("upstream", f"{origin} answers ({got.status})")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        why = describe_error(error)
        return warn("upstream", f"{origin} does not answer: {why}", f"curl -I {origin}")
