"""`run.py token`: an access token for what cannot sign in by itself."""

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import click

from gateway.cli.base import Address, local_settings_and_json
from gateway.cli.codex_config import check_sign_in_url
from gateway.cli.guide.help_page import Command
from gateway.cli.output import print_result
from gateway.oauth.client_rules import CODEX_CLIENT, SCOPE
from gateway.oauth.endpoints import DEVICE_GRANT, REFRESH_GRANT
from gateway.settings import PROGRAM, Settings
from gateway.settings.home import at_home
from gateway.store.private_file import create_file, replace_file

# A request may begin as late as that after the token was printed.
LEAST_LEFT = 60.0
_TIMEOUT = 15.0  # seconds, of one request
_UNDECIDED = frozenset({"authorization_pending", "slow_down"})


class NoToken(click.ClickException):
    """Also with the code of RFC 6749 that the gateway gave."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def access_token(url: str, file: Path) -> str:
    """The one kept for a gateway, renewed where it ends soon. Raises NoToken."""
    with _locked(file):  # several programs may ask at once
        kept = _read(file)
        mine = kept.get(url)
        if mine is None:
            raise NoToken(_sign_in_first(url))
        if mine["expires_at"] - time.time() < LEAST_LEFT:
            try:
                given = _post(
                    f"{url}/oauth/token",
                    grant_type=REFRESH_GRANT,
                    refresh_token=mine["refresh_token"],
                )
            except NoToken as error:
                if error.code == "invalid_grant":
                    raise NoToken(_sign_in_first(url), error.code) from error
                raise
            mine = kept[url] = _kept(given)
            replace_file(file, json.dumps(kept))
        return str(mine["access_token"])


def sign_in(
    url: str,
    file: Path,
    tell: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """By the device flow (RFC 8628). Raises NoToken when it is refused or over."""
    asked = _post(f"{url}/oauth/device", scope=SCOPE)
    tell(f"Open {asked['verification_uri']} and type {asked['user_code']}")
    wait = float(asked["interval"])
    while True:
        pause(wait)
        try:
            code = asked["device_code"]
            given = _post(
                f"{url}/oauth/token", grant_type=DEVICE_GRANT, device_code=code
            )
            break
        except NoToken as error:
            if error.code not in _UNDECIDED:
                raise
            wait += 5.0 * (error.code == "slow_down")
    with _locked(file):
        replace_file(file, json.dumps({**_read(file), url: _kept(given)}))


def _sign_in_first(url: str) -> str:
    return f"Nobody is signed in here: `{PROGRAM} token --url {url} --sign-in` does it"


def _kept(given: dict[str, Any]) -> dict[str, Any]:
    names = ("access_token", "refresh_token")
    ends = time.time() + float(given["expires_in"])
    return {**{name: given[name] for name in names}, "expires_at": ends}


def _post(url: str, **fields: str) -> dict[str, Any]:
    body = urlencode({"client_id": CODEX_CLIENT, **fields}).encode()
    try:
        with urlopen(Request(url, body), timeout=_TIMEOUT) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        try:
            told = json.load(error)
            raise NoToken(str(told["error_description"]), told["error"]) from None
        except (ValueError, LookupError, TypeError):
            raise NoToken(f"{url} answered {error.code}") from error
    except ValueError as error:
        raise NoToken(f"{url} does not answer as a gateway") from error


def _read(file: Path) -> dict[str, Any]:
    text = file.read_text("utf-8")
    return dict(json.loads(text)) if text else {}


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = file.with_suffix(".lock")
    for one in (lock, file):
        if not one.exists():
            with suppress(FileExistsError):  # another program was faster
                create_file(one, "")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@click.command("token", cls=Command)
@click.option("--url", type=Address(), required=True, help="The gateway's address.")
@click.option("--sign-in", "signs_in", is_flag=True, help="Sign in first, by a code.")
@local_settings_and_json
def token(settings: Settings, url: str, signs_in: bool, as_json: bool) -> None:
    """Print an access token, renewed where it ends soon.

    For Codex's `credential_export` and for programs: alone on standard output.
    """
    check_sign_in_url(url)  # tokens go there
    file = at_home(Path("~/.codex-gateway/tokens.json"))
    if signs_in:
        sign_in(url, file, lambda told: click.echo(told, err=True))
    found = access_token(url, file)
    print_result({"access_token": found}, found, as_json=as_json)
