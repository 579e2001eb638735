"""What an owner has so far, and the command that comes next."""

import os
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from gateway.accounts.health import AccountStatus
from gateway.admission.client_address import is_loopback
from gateway.settings import PACKAGE, PROGRAM, Settings

NAME = "Codex Gateway"
_LOGGED_OUT = {AccountStatus.REAUTH_REQUIRED.value, AccountStatus.TOKEN_ENDED.value}
_OUT_OF_SERVICE = {AccountStatus.PAUSED.value, *_LOGGED_OUT}


def first_steps(
    settings: Settings, states: Iterable[str], keys: int | None
) -> dict[str, str]:
    """Accounts by state, keys (None: none was ever made), and what to do next."""
    counted = Counter(states)
    told = ", ".join(f"{count} {state}" for state, count in counted.most_common())
    return {
        "accounts": told or "none",
        "keys": "none made: this machine only" if keys is None else str(keys),
        "next": _next(settings, counted, keys),
    }


def _next(settings: Settings, states: Counter[str], keys: int | None) -> str:
    program = program_here()
    if not states:
        return f"`{program} accounts login` adds an account"
    if states.keys() <= _LOGGED_OUT:
        return f"`{program} accounts login`: every account needs a new login"
    if states.keys() <= _OUT_OF_SERVICE:
        return f"`{program} accounts resume NAME`: no account is in service"
    if keys is None and not is_loopback(settings.host):
        return (
            f"`{program} keys create NAME` makes the first key; until then "
            "other machines are refused, but those in GATEWAY_UNAUTHENTICATED_CIDRS"
        )
    return f"`{program} codex-config` prints the lines for Codex"


def shown(rows: dict[str, str]) -> str:
    """One line each, names in a column."""
    return "\n".join(f"  {name:<9} {text}" for name, text in rows.items())


def program_here() -> str:
    """The program as it was started, and can be from this folder."""
    started = sys.argv[0]
    if PROGRAM == PACKAGE:  # started by the launcher, whose own name is gone
        own = Path(sys.executable).with_name(PACKAGE)
        is_found = Path(shutil.which(PACKAGE) or "").resolve() == own.resolve()
        is_uvx = "UV" in os.environ  # whose path the next terminal lacks
        return PACKAGE if is_found and not is_uvx else shlex.quote(str(own))
    if Path(started).name != PROGRAM:
        return PROGRAM
    return shlex.join([_short(sys.executable), _short(started)])


def _short(file: str) -> str:
    """The path from here, where it is below."""
    path, here = Path(file).absolute(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
