"""Small calls of the gateway's own: tokens, catalogues, usage."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import aiohttp
from orjson import dumps

from gateway.protocol.lenient_json import load_object
from gateway.protocol.local_failures import network_failure
from gateway.upstream import UpstreamFault
from gateway.upstream.egress import EgressProxyFailed
from gateway.upstream.http import connection_failure

# A catalogue of a hundred models with their instructions is below a megabyte.
MAX_ANSWER_BYTES = 8 * 1024 * 1024
API_TIMEOUT = 30.0


class ApiResponse(NamedTuple):
    """A whole answer, whatever its status; `headers` do not mind the case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body's JSON object, {} when it is none."""
        return load_object(self.body)


async def post_json(
    session: aiohttp.ClientSession, url: str, document: Mapping[str, str]
) -> ApiResponse:
    """Post a JSON object. Raises UpstreamFault when there is no answer."""
    headers = {"content-type": "application/json"}
    return await fetch(session, "POST", url, headers=headers, body=dumps(document))


async def fetch(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
) -> ApiResponse:
    """Call upstream once. Raises UpstreamFault when there is no answer."""
    try:
        async with (
            asyncio.timeout(API_TIMEOUT),
            session.request(
                method,
                url,
                data=body,
                headers={"accept-encoding": "identity", **headers},
                allow_redirects=False,
            ) as response,
        ):
            content = b""
            while len(content) <= MAX_ANSWER_BYTES and (
                more := await response.content.read(MAX_ANSWER_BYTES)
            ):
                content += more
            if len(content) > MAX_ANSWER_BYTES:
                raise UpstreamFault(
                    network_failure("The answer is too large", "too_large", "headers")
                )
            return ApiResponse(response.status, response.headers, content)
    except TimeoutError as error:
        raise UpstreamFault(
            network_failure(
                "The wait for upstream ran out", "upstream_headers_timeout", "headers"
            )
        ) from error
    except EgressProxyFailed as error:
        raise UpstreamFault(connection_failure(error, "connect")) from error
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamFault(
            network_failure(
                "Upstream could not be reached", "connection_failed", "headers"
            )
        ) from error
