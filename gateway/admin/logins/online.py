"""Device logins that the running gateway carries on, for who has but a browser."""

import asyncio
from contextlib import suppress
from typing import ClassVar

from gateway.accounts.account import Account
from gateway.admin.accounts import Imported, save_login
from gateway.admin.errors import Unacceptable
from gateway.admin.names import find_row
from gateway.app import Gateway
from gateway.errors import UpstreamUnavailable
from gateway.monitoring.background import BackgroundTask
from gateway.store.models import AccountRow
from gateway.upstream import UpstreamFault
from gateway.upstream.http import open_session
from gateway.upstream.logins.auth_json import Login
from gateway.upstream.logins.device_login import (
    LONGEST_LIFETIME,
    DeviceCode,
    DeviceLogin,
)

CODE_SECONDS = 10.0  # what a page waits for the code


class OnlineLogin(BackgroundTask):
    """From the code to show until the account is there, or the code has ended.

    With an `account` it is a new login of that one, and of no other.
    """

    most: ClassVar[int] = 4
    seconds: ClassVar[float] = LONGEST_LIFETIME + 60.0
    kind: ClassVar[str] = "login"

    def __init__(
        self,
        gateway: Gateway,
        actor: str,
        *,
        name: str | None = None,
        account: Account | None = None,
    ) -> None:
        super().__init__()
        self.actor = actor
        self.account = account
        self.code: DeviceCode | None = None
        self.saved: Imported | None = None
        self._gateway = gateway
        self._name = name
        self._asked = asyncio.Event()

    async def wait_for_code(self) -> None:
        """Return once there is a code to show, or none will come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CODE_SECONDS):
                await self._asked.wait()

    async def run(self) -> None:
        settings = self._gateway.settings
        try:
            async with open_session(settings) as session:
                device = DeviceLogin(session, settings.auth_base_url)
                self.code = await device.start()
                self._asked.set()
                login = await device.finish(self.code)
        except UpstreamFault as fault:
            raise UpstreamUnavailable(fault.failure) from fault
        finally:
            self._asked.set()
        if self.account is not None:
            _check_owner(login, self.account)
        self.saved = await self._gateway.store.write(self._save, login)
        await self._gateway.reload()

    def _save(self, login: Login) -> Imported:
        secrets = self._gateway.secrets
        if self.account is not None:  # it may have been removed meanwhile
            find_row(AccountRow, self.account.name, exact=True)
        return save_login(login, secrets, self.actor, name=self._name)


def _check_owner(login: Login, account: Account) -> None:
    """Raises Unacceptable for a login of somebody else's."""
    theirs = (login.chatgpt_account_id, login.chatgpt_user_id)
    if theirs != (account.chatgpt_account_id, account.chatgpt_user_id):
        whose = login.email or login.chatgpt_account_id
        raise Unacceptable(
            f"{whose} logged in, which is not '{account.name}': nothing was changed. "
            "Add it as an account of its own, or log in as the other"
        )
