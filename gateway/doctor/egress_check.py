"""Whether the egress proxy, where one is set, leads to upstream."""

import asyncio

import aiohttp
from yarl import URL

from gateway.doctor.findings import Finding, fail, ok
from gateway.settings import Settings
from gateway.upstream.egress import open_connector
from gateway.upstream.http import connection_failure


async def check_egress(settings: Settings) -> list[Finding]:
    """Open one connection through it; no request is sent."""
    if settings.egress_proxy is None:
        return []
    upstream = URL(settings.upstream_base_url)
    shown = URL(settings.egress_proxy.reveal()).with_user(None)  # nor its password
    request = aiohttp.ClientRequest("GET", upstream, loop=asyncio.get_running_loop())
    timeout = aiohttp.ClientTimeout(sock_connect=settings.connect_timeout)
    connector = open_connector(settings)
    try:
        (await connector.connect(request, [], timeout)).close()
    except (aiohttp.ClientError, OSError) as error:
        told = connection_failure(error, "connect").message
        line = "GATEWAY_EGRESS_PROXY=http://user:password@host:port"
        return [fail("egress proxy", f"{shown}: {told}", line)]
    finally:
        await connector.close()
    return [ok("egress proxy", f"{shown} leads to {upstream.host}")]
