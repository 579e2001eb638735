"""`run.py token`: an access token for what cannot sign in by itself."""

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
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
# A gateway answers a refresh within 3 s, and the same one alike however often it comes.
_REFRESH_TIMEOUT = 5.0
_REFRESH_PAUSES = (0.0, 0.5, 2.0)
# Longer than whoever has the lock may need for that.
LOCK_SECONDS = 30.0
_LOCK_PAUSE = 0.05
_TOKENS = ("access_token", "refresh_token")
_UNDECIDED = frozenset({"authorization_pending", "slow_down"})


class NoToken(click.ClickException):
    """Also with the code of RFC 6749 that the gateway gave."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def token_file(url: str) -> Path:
    """Where the tokens of a gateway are kept: another one's trouble is none of its."""
    name = quote(url.partition("://")[2], safe="")
    return at_home(Path("~/.codex-gateway/tokens")) / f"{name}.json"


def access_token(url: str, file: Path) -> str:
    """The one kept, renewed where it ends soon. Raises NoToken, OSError."""
    with _locked(file):  # several programs may ask at once
        kept = _read(file)
        if not kept:
            raise NoToken(_sign_in_first(url))
        if kept["expires_at"] - time.time() < LEAST_LEFT:
            try:
                kept = _kept(_refresh(url, kept["refresh_token"]))
            except NoToken as error:
                if error.code == "invalid_grant":
                    raise NoToken(_sign_in_first(url), error.code) from error
                raise
            replace_file(file, json.dumps(kept))
        return str(kept["access_token"])


def sign_in(
    url: str,
    file: Path,
    tell: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """By the device flow (RFC 8628). Raises NoToken when it is refused or over."""
    asked = _post(f"{url}/oauth/device", scope=SCOPE)
    tell(f"Open {asked['verification_uri']} and type {asked['user_code']}")
    wait, waited = float(asked["interval"]), 0.0
    while True:
        pause(wait)
        waited += wait
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
        except OSError:  # an answer that was lost is given again
            if waited > asked["expires_in"]:
                raise
    with _locked(file):
        replace_file(file, json.dumps(_kept(given)))


def _refresh(url: str, refresh_token: str) -> dict[str, Any]:
    """Repeated where the answer may have been lost. Raises NoToken, OSError."""
    asked = {"grant_type": REFRESH_GRANT, "refresh_token": refresh_token}
    for pause in _REFRESH_PAUSES:
        time.sleep(pause)
        try:
            return _post(f"{url}/oauth/token", _REFRESH_TIMEOUT, **asked)
        except OSError as error:
            lost = error
    raise lost


def _sign_in_first(url: str) -> str:
    return f"Nobody is signed in here: `{PROGRAM} token --url {url} --sign-in` does it"


def _kept(given: dict[str, Any]) -> dict[str, Any]:
    ends = time.time() + float(given["expires_in"])
    return {**{name: given[name] for name in _TOKENS}, "expires_at": ends}


def _post(url: str, timeout: float = _TIMEOUT, **fields: str) -> dict[str, Any]:
    """Raises NoToken; OSError of what may be better next time."""
    body = urlencode({"client_id": CODEX_CLIENT, **fields}).encode()
    try:
        with urlopen(Request(url, body), timeout=timeout) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        if error.code >= 500:
            raise ConnectionError(f"{url} answered {error.code}") from error
        try:
            told = json.load(error)
            raise NoToken(str(told["error_description"]), told["error"]) from None
        except (ValueError, LookupError, TypeError):
            raise NoToken(f"{url} answered {error.code}") from error
    except HTTPException as error:
        raise ConnectionError(f"{url} broke off its answer") from error
    except ValueError as error:
        raise NoToken(f"{url} does not answer as a gateway") from error


def _read(file: Path) -> dict[str, Any]:
    """Empty when nobody has signed in, or the file is none of this program's."""
    try:
        kept = json.loads(file.read_text("utf-8"))
        tokens = {name: str(kept[name]) for name in _TOKENS}
        return {**tokens, "expires_at": float(kept["expires_at"])}
    except (ValueError, LookupError, TypeError, FileNotFoundError):
        return {}


@contextmanager
def _locked(file: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Raises NoToken where another program keeps the lock so long."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock, until = file.with_suffix(".lock"), time.monotonic() + seconds
    if not lock.exists():
        create_file(lock, "")
    with lock.open() as held:
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise NoToken(f"Another program keeps {lock}") from None
                time.sleep(_LOCK_PAUSE)
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
    file = token_file(url)
    if signs_in:
        sign_in(url, file, lambda told: click.echo(told, err=True))
    found = access_token(url, file)
    print_result({"access_token": found}, found, as_json=as_json)
