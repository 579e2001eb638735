"""Asks an index about releases: `/pypi/NAME/VERSION/json` of PyPI's JSON API, whose
documentation has it under "Known vulnerabilities". pip-audit asks one fixed host.
"""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)
_AT_ONCE = 8
_PATIENCE = aiohttp.ClientTimeout(total=30)

Release = tuple[str, str]  # name, version


@dataclass(frozen=True, slots=True)
class Answer:
    """What the index said of one release."""

    release: Release
    known: list[str] = field(default_factory=list)  # advisories, each a text
    trouble: str = ""  # why it could not be asked


def pins(requirements: str) -> set[Release]:
    """The releases that a compiled requirements.txt names."""
    return {(name.lower(), version) for name, version in _PIN.findall(requirements)}


def json_url(index: str, release: Release) -> str:
    """Beside an index of simple pages, `…/simple`, stands its JSON, `…/pypi`."""
    scheme, host, path, *_ = urlsplit(index)
    base = re.sub(r"/simple/*$", "", path.rstrip("/"))
    return urlunsplit((scheme, host, f"{base}/pypi/{'/'.join(release)}/json", "", ""))


def advisories_of(document: object) -> list[str]:
    """Raises ValueError for what is no release's document."""
    told = document.get("vulnerabilities") if isinstance(document, dict) else None
    if not isinstance(told, list):
        raise ValueError("the answer lists no vulnerabilities")
    return [_words(one) for one in told if not one.get("withdrawn")]


def _words(advisory: dict[str, Any]) -> str:
    names = ", ".join([advisory["id"], *(advisory.get("aliases") or ())])
    fixed = ", ".join(advisory.get("fixed_in") or ()) or "no release"
    summary = advisory.get("summary") or advisory.get("details") or ""
    return f"{names}: {summary[:100]!r}, mended in {fixed}"


async def ask(index: str, releases: list[Release]) -> list[Answer]:
    """Every release's answer, in the order given."""
    slots = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession(timeout=_PATIENCE, trust_env=True) as session:

        async def ask_one(release: Release) -> Answer:
            try:
                async with slots, session.get(json_url(index, release)) as response:
                    response.raise_for_status()
                    told = advisories_of(await response.json(content_type=None))
            except aiohttp.ClientResponseError as error:
                return Answer(release, trouble=f"status {error.status}")
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                return Answer(release, trouble=str(error) or type(error).__name__)
            return Answer(release, told)

        return await asyncio.gather(*map(ask_one, releases))


def report(index: str, answers: list[Answer]) -> tuple[str, int]:
    """What to print, and the exit status."""
    host = urlsplit(index).hostname
    unasked = [one for one in answers if one.trouble]
    known = [one for one in answers if one.known]
    lines = [
        f"{'=='.join(one.release)}: {words}" for one in known for words in one.known
    ]
    asked = len(answers) - len(unasked)
    lines.append(
        f"{asked} of {len(answers)} pinned releases asked about at {host}: "
        f"{len(known)} with known vulnerabilities"
    )
    if unasked:
        names = ", ".join("==".join(one.release) for one in unasked)
        troubles = ", ".join(sorted({one.trouble for one in unasked}))
        lines.append(f"NOT ASKED, thus not known to be well: {names} ({troubles})")
    return "\n".join(lines), 1 if known else 2 if unasked else 0
