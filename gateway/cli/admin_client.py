"""Talking to the gateway that runs on a data directory, over its admin API."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from gateway.admin.token import admin_token
from gateway.errors import GatewayError
from gateway.process.lockfile import RunningGateway, find_running
from gateway.settings import Settings

TIMEOUT = 20.0  # seconds; a reload takes milliseconds
# Loopback, whatever proxy the environment names.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class GatewayDoesNotAnswer(GatewayError):
    """A gateway holds the data directory and cannot be asked."""

    code = "gateway_does_not_answer"


class Refused(GatewayError):
    """What the running gateway said."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Client:
    """Calls to one running gateway. All block."""

    def __init__(self, settings: Settings, running: RunningGateway) -> None:
        self.running = running
        self._token = admin_token(settings.data_dir)

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        timeout: float = TIMEOUT,
    ) -> dict[str, Any]:
        """The answer's object. Raises Refused or GatewayDoesNotAnswer."""
        request = urllib.request.Request(
            self.running.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {self._token.reveal()}",
                "content-type": "application/json",
            },
        )
        try:
            with _OPENER.open(request, timeout=timeout) as answer:
                read = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error.code, error.read()) from error
        except (OSError, ValueError) as error:
            raise GatewayDoesNotAnswer(
                f"The gateway (process {self.running.pid}, {self.running.url}) does "
                f"not answer: {error}"
            ) from error
        return read if isinstance(read, dict) else {}


def find_client(settings: Settings) -> Client | None:
    """A client of the gateway that runs here, None when none does."""
    running = find_running(settings.data_dir)
    return None if running is None else Client(settings, running)


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
    return True


def path_of(*parts: str) -> str:
    """`/api/…` of parts that may hold any character."""
    return "/api/" + "/".join(quote(part, safe="") for part in parts)


def _refused(status: int, body: bytes) -> Refused:
    try:
        told = json.loads(body)["error"]
        return Refused(status, str(told["code"]), str(told["message"]))
    except (ValueError, KeyError, TypeError):
        return Refused(status, "refused", f"The gateway answered with status {status}")
