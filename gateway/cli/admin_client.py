"""Talking to a gateway over its admin API: one that runs here, or that of `--url`."""

import json
import os
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import click

from gateway.admission.client_address import is_loopback
from gateway.cli.running.api_routes import Route, path_of
from gateway.cli.running.database import check_same
from gateway.errors import GatewayError
from gateway.process.admin_token import admin_token
from gateway.process.lockfile import RunningGateway, find_running
from gateway.repository.audit import shell_actor
from gateway.repository.members import FOLLOW_SECONDS
from gateway.secret import Secret
from gateway.settings import PROGRAM, Settings

__all__ = ["Client", "Refused", "find_client", "path_of", "reload_running"]

TOKEN_VARIABLE = "GATEWAY_ADMIN_TOKEN"
TIMEOUT = 20.0  # seconds; a reload takes milliseconds
_URL = "gateway.url"  # of the command's context


class GatewayDoesNotAnswer(GatewayError):
    """A gateway holds the data directory, or is to be there, and cannot be asked."""

    code = "gateway_does_not_answer"


class Refused(GatewayError):
    """What the gateway said."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The token is for whom it was given."""

    def redirect_request(self, *_: Any) -> None:
        return None


# Past whatever proxy the environment names.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
_BEHIND_THE_REQUEST = (TimeoutError, ConnectionResetError)


class Client:
    """Calls to one gateway. All block; they raise Refused or GatewayDoesNotAnswer."""

    def __init__(
        self, url: str, token: Secret, running: RunningGateway | None = None
    ) -> None:
        """`running` where it runs on this data directory."""
        self.url = url
        self.running = running
        self.behind = ""  # members that had not taken over what was changed last
        self._token = token

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        timeout: float = TIMEOUT,
    ) -> dict[str, Any]:
        """The answer's object."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {self._token.reveal()}",
                "content-type": "application/json",
                "x-admin-actor": shell_actor().encode("ascii", "replace").decode(),
            },
        )
        try:
            status, content, self.behind = _exchange(request, timeout)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            is_broken = isinstance(reason, HTTPException)
            why = "it breaks off, or is no HTTP server" if is_broken else reason
            told = f"{self} does not answer: {why}"
            # Sent as a whole, whatever came back.
            is_uncertain = is_broken or isinstance(reason, _BEHIND_THE_REQUEST)
            if is_uncertain and method != "GET":
                told += "; whether the change was made is not known"
            raise GatewayDoesNotAnswer(told) from error
        if not 200 <= status < 300:
            raise self._refused(status, content)
        try:
            return dict(json.loads(content))
        except (ValueError, TypeError, RecursionError) as error:
            raise self._is_no_gateway("without the JSON of one") from error

    def ask(self, route: Route, *args: Any) -> Any:
        """What a function would give, done by the gateway."""
        answer = self.call(*route.call(*args))
        try:
            return route.result(answer)
        except (KeyError, TypeError) as error:
            raise self._is_no_gateway("without the fields of one") from error

    def check_followed(self) -> None:
        """Raises GatewayDoesNotAnswer when not all members have what was changed."""
        if self.behind:
            raise GatewayDoesNotAnswer(
                f"The change is made, but not taken over within {FOLLOW_SECONDS:.0f} s "
                f"by member {self.behind}: `{PROGRAM} members` says who that is"
            )

    def __str__(self) -> str:
        if self.running is None:
            return f"The gateway at {self.url}"
        return f"The gateway (process {self.running.pid}, {self.url})"

    def _refused(self, status: int, body: bytes) -> GatewayError:
        try:
            told = json.loads(body)["error"]
            refused = Refused(status, str(told["code"]), str(told["message"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return self._is_no_gateway(f"with status {status}")
        if refused.code != "admin_token_required":
            return refused
        where = TOKEN_VARIABLE if self.running is None else "the data directory"
        return Refused(
            status, refused.code, f"{self} refuses the admin token of {where}"
        )

    def _is_no_gateway(self, answered: str) -> GatewayDoesNotAnswer:
        return GatewayDoesNotAnswer(
            f"{self} answered {answered}: that is no gateway's admin API, or another "
            "release's"
        )


def _exchange(
    request: urllib.request.Request, timeout: float
) -> tuple[int, bytes, str]:
    """Status and body, of errors, too; who is behind. Raises OSError, HTTPException."""
    try:
        answer = _OPENER.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        behind = answer.headers.get("x-gateway-behind", "")
        return answer.status, answer.read(), behind


def find_client(settings: Settings) -> Client | None:
    """A client of the gateway of `--url`, else of the one that runs here, else None.

    Raises OtherDatabase when the settings name another database than it has.
    """
    url = remote_url()
    if url is not None:
        return _remote_client(url)
    running = find_running(settings.data_dir)
    if running is None:
        return None
    if not running.port:
        what = f"`{running.command}`" if running.command else "A gateway that starts"
        raise GatewayDoesNotAnswer(
            f"{what} (process {running.pid}) has {settings.data_dir}; try again when "
            "it is done"
        )
    if settings.names_database:
        check_same(settings, running)
    return Client(running.url, admin_token(settings.data_dir), running)


def use_url(ctx: click.Context, _: click.Parameter, url: str | None) -> None:
    """Callback of the option `--url`."""
    if url is not None:
        ctx.meta[_URL] = url


def remote_url() -> str | None:
    """What `--url` says of the running command."""
    ctx = click.get_current_context(silent=True)
    found: str | None = None if ctx is None else ctx.meta.get(_URL)
    return found


def _remote_client(url: str) -> Client:
    try:
        parts = urlsplit(url.rstrip("/"))
        is_url = bool(parts.hostname) and parts.scheme in ("http", "https")
        is_plain = is_url and parts.port != 0 and not (parts.query or parts.username)
    except ValueError:  # brackets, or a port, that are none
        is_plain = False
    if not is_plain:
        raise click.UsageError("--url is https://host[:port], or http:// on loopback")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise click.UsageError(
            "--url: over http:// others could read the admin token on its way; give "
            "https://, or go through a tunnel to loopback"
        )
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise click.ClickException(
            f"{TOKEN_VARIABLE} is not set: `{PROGRAM} admin token` prints it where the "
            "gateway runs"
        )
    if not (token.isascii() and token.isprintable()):
        raise click.ClickException(f"{TOKEN_VARIABLE} has characters that no token has")
    return Client(parts.geturl(), Secret(token))


def reload_running(settings: Settings) -> bool:
    """Have the running gateway take over what was changed; False without one.

    When this returns, the change holds for the next request.
    """
    client = find_client(settings)
    if client is None:
        return False
    try:
        client.call("POST", "/api/reload", {})
    except (GatewayDoesNotAnswer, Refused) as error:
        raise GatewayDoesNotAnswer(
            f"The change is in the database, but not yet in the running gateway: "
            f"{error}"
        ) from error
    client.check_followed()
    return True
