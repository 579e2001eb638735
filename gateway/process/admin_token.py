"""The admin token: a file only its owner reads, and sealed in the database for all.

All members of a database take the same one: GATEWAY_ADMIN_TOKEN of whoever started
last with one, else that of the first member's file.
"""

import asyncio
import hmac
import logging
import secrets
from pathlib import Path

from gateway.repository import options
from gateway.repository.revision import raise_revision
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.settings.parsers import LEAST_SECRET
from gateway.store.encryption import SecretBox, UnusableKey
from gateway.store.key_rotation import ADMIN_TOKEN, check_key
from gateway.store.private_file import create_file, replace_file
from gateway.store.store import Store

logger = logging.getLogger("gateway")

FILE = "admin.token"
_TOO_SHORT = f"GATEWAY_ADMIN_TOKEN has less than {LEAST_SECRET} characters"


class AdminToken:
    """`value` is what the admin API asks for."""

    def __init__(self, store: Store, box: SecretBox, settings: Settings) -> None:
        self._store = store
        self._box = box
        self._data_dir = settings.data_dir
        self._given = settings.admin_token
        self.value = Secret("")

    async def start(self) -> None:
        """Agree with the other members. Raises UnusableKey."""
        if self._given is not None and len(self._given.reveal()) < LEAST_SECRET:
            raise UnusableKey(_TOO_SHORT)
        loop = asyncio.get_running_loop()
        try:
            own = await loop.run_in_executor(None, admin_token, self._data_dir)
        except OSError as error:
            raise UnusableKey(str(error)) from error
        self.value = own
        await self._take(await self._store.write(_agree, self._box, own, self._given))

    async def load(self) -> None:
        """Take over the token of a member that was given another."""
        told = await self._store.read(_stored, self._box)
        if told is not None:
            await self._take(told)

    async def _take(self, told: Secret) -> None:
        """Keep it in the file, too, which commands on this machine read."""
        if told == self.value:
            return
        self.value, loop = told, asyncio.get_running_loop()
        path, text = self._data_dir / FILE, f"{told.reveal()}\n"
        try:
            await loop.run_in_executor(None, replace_file, path, text)
        except OSError as error:
            logger.warning("commands here have an old admin token: %s", error)


def admin_token(data_dir: Path) -> Secret:
    """The token of a data directory. Blocks; raises OSError."""
    path = data_dir / FILE
    try:
        return _read(path)
    except FileNotFoundError:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_file(path, secrets.token_urlsafe(32) + "\n")
        return _read(path)


def is_token(presented: str | None, token: Secret) -> bool:
    """Takes the same time wherever the two differ."""
    given = (presented or "").encode("utf-8", "surrogateescape")
    return hmac.compare_digest(given, token.reveal().encode())


def _read(path: Path) -> Secret:
    text = path.read_text("utf-8").strip()
    if not text:
        raise OSError(f"{path} is empty; remove it and a new one is made")
    return Secret(text)


# In a transaction.


def _agree(box: SecretBox, own: Secret, given: Secret | None) -> Secret:
    """The token for all, stored where it is new. Raises UnusableKey."""
    check_key(box)
    held = _stored(box)
    told = given or held or own
    if told != held:
        options.write(ADMIN_TOKEN, box.encrypt(told.reveal()))
        raise_revision()
    return told


def _stored(box: SecretBox) -> Secret | None:
    sealed = options.read(ADMIN_TOKEN)
    try:
        return None if sealed is None else Secret(box.decrypt(sealed))
    except UnusableKey:
        return None  # of a key that was given up
