"""An examination by the gateway that runs: the doctor's checks, one after the other."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import aiohttp

from gateway.admin.live.elsewhere import members_of_all
from gateway.app import Gateway
from gateway.doctor import client_checks, configuration_checks, local_checks
from gateway.doctor.client import Visit
from gateway.doctor.egress_check import check_egress
from gateway.doctor.findings import Finding
from gateway.monitoring.background import BackgroundTask
from gateway.upstream.http import open_session

MOST_FINDINGS = 500  # there may be as many accounts as one likes


class Examination(BackgroundTask):
    """Looks at home first, then from outside, with a visitor's key.

    `own_url` is where this machine reaches the gateway, for where no public URL is set.
    """

    seconds: ClassVar[float] = 300.0
    kind: ClassVar[str] = "examination"

    def __init__(self, gateway: Gateway, own_url: str, *, is_quick: bool) -> None:
        super().__init__()
        self.url = (gateway.settings.public_url or own_url).rstrip("/")
        self.is_quick = is_quick
        self.findings: list[Finding] = []
        self._gateway = gateway

    async def run(self) -> None:
        for checks in (self._at_home(), self._from_outside()):
            async for finding in checks:
                if len(self.findings) < MOST_FINDINGS:
                    self.findings.append(finding)

    async def _at_home(self) -> AsyncIterator[Finding]:
        gateway, settings = self._gateway, self._gateway.settings
        loop = asyncio.get_running_loop()
        for finding in await loop.run_in_executor(None, self._of_files):
            yield finding
        accounts = list(gateway.pool.accounts.values())
        for finding in local_checks.logins(accounts, time.time()):
            yield finding
        for finding in local_checks.members(await members_of_all(gateway)):
            yield finding
        for finding in await check_egress(settings):
            yield finding
        urls = {settings.upstream_base_url, settings.auth_base_url}
        urls |= {account.base_url for account in accounts if account.base_url}
        async with open_session(settings) as session:
            for finding in await configuration_checks.upstreams(session, urls):
                yield finding

    def _of_files(self) -> list[Finding]:
        """What blocks the thread it is looked at on."""
        settings = self._gateway.settings
        return [
            *configuration_checks.names_of_settings(os.environ, Path(".env")),
            configuration_checks.own_prices(settings.prices),
            *local_checks.private_files(settings),
            *local_checks.disk_space(settings),
        ]

    async def _from_outside(self) -> AsyncIterator[Finding]:
        key = self._gateway.access.visitors.admit(None, time.time())
        async with aiohttp.ClientSession(trust_env=False) as session:
            header = self._gateway.settings.sso_user_header
            visit = Visit(session, self.url, key, header)
            coming = client_checks.check_connection(visit, is_quick=self.is_quick)
            async for finding in coming:
                yield finding
