"""The checks at home: files, disk, accounts, and this user's own Codex."""

import shutil
import stat
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.accounts.account import Account
from gateway.accounts.health import AccountStatus
from gateway.doctor.findings import Finding, fail, ok, warn
from gateway.settings import COMMAND, MEBIBYTE, Settings
from gateway.settings.home import at_home

LITTLE_SPACE = 1024 * MEBIBYTE
NO_SPACE = 100 * MEBIBYTE
LOGIN = f"{COMMAND} accounts login"
IMPORT = f"{COMMAND} accounts import FILE"
SOON_HOURS = 7 * 24  # before an access token's end


def private_files(settings: Settings) -> list[Finding]:
    """Whether others on this machine can read what they must not."""
    folder = settings.data_dir
    if not folder.is_dir():
        return [warn("permissions", f"there is no {folder} yet", COMMAND)]
    found = []
    for path in [folder, *sorted(folder.iterdir())]:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:  # SQLite takes some away; and a link to nothing
            continue
        if mode & 0o077 and (path == folder or not path.is_dir()):
            right = 0o700 if path == folder else 0o600
            text = f"{path} is open to others (mode {mode:o})"
            found.append(fail("permissions", text, f"chmod {right:o} {path}"))
    return found or [ok("permissions", f"{folder} is its owner's alone")]


def disk_space(settings: Settings) -> list[Finding]:
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    text = f"{free // MEBIBYTE} MiB free at {folder}"
    line = f"GATEWAY_LOG_RETENTION_DAYS={max(1, settings.log_retention_days // 2)}"
    if free < NO_SPACE:
        return [fail("disk", text, line)]
    if free < LITTLE_SPACE:
        return [warn("disk", text, line)]
    return [ok("disk", text)]


def logins(accounts: list[Account], now: float) -> list[Finding]:
    """Each account's state, and how long its token lasts."""
    if not accounts:
        return [fail("accounts", "no account yet", f"{COMMAND} accounts import FILE")]
    return [_login(account, now) for account in accounts]


def _login(account: Account, now: float) -> Finding:
    check = f"account {account.name}"
    status, why = account.health.status(now), account.health.why(now)
    match status:
        case AccountStatus.REAUTH_REQUIRED:
            return fail(check, f"needs a new login: {why}", LOGIN)
        case AccountStatus.TOKEN_ENDED:
            return fail(check, why, IMPORT)
        case AccountStatus.PAUSED:
            return warn(check, why, f"{COMMAND} accounts resume '{account.name}'")
        case AccountStatus.ACTIVE:
            return _token(check, account, now)
        case _:
            return warn(check, f"{status}: {why}")


def _token(check: str, account: Account, now: float) -> Finding:
    expires_at = account.credentials.expires_at
    if expires_at is None:
        return ok(check, "active")
    hours = (expires_at - now) / 3600
    if account.credentials.is_access_token and hours < SOON_HOURS:
        ends = "has ended" if hours <= 0 else f"ends in {hours:.0f} hours"
        return warn(check, f"its access token {ends} and is not renewed", IMPORT)
    if hours <= 0:
        text = "its token has ended and is refreshed with the next request"
        line = f"{COMMAND} accounts probe '{account.name}'"
        return warn(check, text, line)
    return ok(check, f"active, its token lasts {hours:.0f} hours more")


def members(rows: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Of several processes that serve from one database, what keeps them apart."""
    if len(rows) < 2:
        return []
    behind = [one["id"] for one in rows if one["is_behind"]]
    # One that serves tells how many turns it has, to who asks and reaches it.
    silent = [one["id"] for one in rows if one.get("turns", 0) is None]
    releases = sorted({one["version"] for one in rows})
    found = []
    if behind:
        text = f"the latest change does not hold at {_numbers(behind)}"
        found.append(warn("members", text, f"{COMMAND} members"))
    if silent:
        text = f"{_numbers(silent)} cannot be asked for its turns by this one"
        found.append(warn("members", text, "GATEWAY_MEMBER_URL=https://…"))
    if len(releases) > 1:
        told = ", ".join(releases)
        found.append(warn("members", f"several releases serve together: {told}"))
    return found or [ok("members", f"{len(rows)} processes serve from the database")]


def _numbers(ids: Sequence[int]) -> str:
    return f"member {', '.join(map(str, ids))}"


def codex_configuration(home: Path, urls: set[str]) -> list[Finding]:
    """Providers of this user's config.toml that lead to one of the gateway's URLs."""
    path = home / "config.toml"
    try:
        path = at_home(path)
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        return [fail("config.toml", f"{path}: {error}", f"{COMMAND} codex-config")]
    providers = document.get("model_providers")
    found = []
    for provider in providers.values() if isinstance(providers, dict) else ():
        if isinstance(provider, dict) and _origin(provider.get("base_url")) in urls:
            found.append(_provider(path, provider))
    return found


def _provider(path: Path, provider: dict[str, Any]) -> Finding:
    base = str(provider["base_url"]).rstrip("/")
    is_trap = provider.get("name") == "OpenAI" and base.endswith("/backend-api/codex")
    if is_trap and provider.get("requires_openai_auth"):
        text = (
            f'{path}: a provider named "OpenAI" at {base} makes Codex ask for its '
            "workspace and go past the gateway"
        )
        return fail("config.toml", text, f'base_url = "{base}/v1"')
    return ok("config.toml", f"{path} leads to the gateway")


def _origin(url: object) -> str:
    parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    return f"{parts.scheme}://{parts.netloc}"


def check_installation(settings: Settings, accounts: list[Account]) -> list[Finding]:
    """All but the user's own Codex, which is not the gateway's."""
    return [
        *private_files(settings),
        *disk_space(settings),
        *logins(accounts, time.time()),
    ]
