"""Rows of the database as the objects that requests read, and back."""

import json
import time

from gateway.accounts.account import Account, AccountKind, Credentials
from gateway.accounts.health import AccountStatus
from gateway.protocol.lenient_json import load_object
from gateway.protocol.numbers import stored_time
from gateway.repository.account_state import restore
from gateway.repository.revision import raise_revision
from gateway.secret import Secret
from gateway.store import models
from gateway.store.encryption import SecretBox, UnusableKey
from gateway.store.models import now_ms
from gateway.store.shared.tables import database_now_ms
from gateway.store.store import Store

_SECRETS = ("access_token", "refresh_token", "id_token", "api_key")


def load_accounts(secrets: SecretBox) -> list[Account]:
    """All accounts, as they were last seen."""
    now = time.time()
    rows = models.AccountRow.select().order_by(models.AccountRow.id)
    return [account_of(row, secrets, now) for row in rows]


def account_of(row: models.AccountRow, secrets: SecretBox, now: float) -> Account:
    """An account whose credentials cannot be read needs a new login."""
    account = Account(
        id=row.id,
        name=row.name,
        kind=AccountKind(row.kind),
        base_url=row.base_url,
        chatgpt_account_id=row.chatgpt_account_id,
        chatgpt_user_id=row.chatgpt_user_id,
        email=row.email,
        plan=row.plan,
        priority=row.priority,
        concurrency=row.concurrency,
        websockets=row.has_websockets,
        residency=row.residency,
        takes_chat_parameters=row.takes_chat_parameters,
        source_path=row.source_file,
    )
    try:
        account.credentials = decrypt_credentials(
            row.credentials, row.expires_at, secrets
        )
    except UnusableKey as error:
        account.health.require_login(str(error))
    restore(account, load_object(row.state_detail or ""), now)
    account.health.paused = row.is_paused
    return account


def encrypt_credentials(credentials: Credentials, secrets: SecretBox) -> str:
    """What the column `credentials` holds; call it inside the transaction."""
    held = {name: getattr(credentials, name) for name in _SECRETS}
    return secrets.encrypt(
        json.dumps({name: s.reveal() for name, s in held.items() if s is not None})
    )


def decrypt_credentials(
    encrypted: str, expires_at: int | None, secrets: SecretBox
) -> Credentials:
    """`expires_at` in unix ms. Raises UnusableKey."""
    held = load_object(secrets.decrypt(encrypted))
    return Credentials(
        **{name: Secret(held[name]) for name in _SECRETS if held.get(name)},
        expires_at=None if expires_at is None else stored_time(expires_at),
    )


def expiry_ms(credentials: Credentials) -> int | None:
    at = credentials.expires_at
    return None if at is None else int(at * 1000)


def detail_after_login(detail: str | None) -> str:
    """A stored state without its lost login; limits are the account's, and stay."""
    return json.dumps(load_object(detail or "") | {"login": None, "last_error": None})


class AccountStore:
    """What keeping tokens fresh needs of the database; done when a call returns."""

    def __init__(self, store: Store, secrets: SecretBox) -> None:
        self._store = store
        self._secrets = secrets

    async def claim(self, account_id: int, owner: str, ttl: float) -> bool:
        """Whether `owner` may refresh the account for so many seconds."""
        return await self._store.transact(_claim, account_id, owner, int(ttl * 1000))

    async def release_claim(self, account_id: int, owner: str) -> None:
        await self._store.transact(_release_claim, account_id, owner)

    async def save_credentials(
        self, account_id: int, credentials: Credentials, replaced: Credentials
    ) -> Credentials:
        """What is stored then: those of another process that replaced the same, too."""
        change = save_credentials, account_id, credentials, replaced, self._secrets
        return await self._store.write(*change)

    async def load_credentials(self, account_id: int) -> Credentials | None:
        """None when the account is gone or its credentials cannot be read."""
        return await self._store.read(_load_credentials, account_id, self._secrets)


def _claim(account_id: int, owner: str, ttl_ms: int) -> bool:
    now, claim = database_now_ms(models.database.obj), models.AccountClaimRow
    taken = {"owner": owner, "expires_at": now + ttl_ms}
    claim.insert(account_id=account_id, **taken).on_conflict(
        conflict_target=[claim.account_id],
        update=taken,
        where=(claim.expires_at < now) | (claim.owner == owner),
    ).execute()
    return bool(claim.get_by_id(account_id).owner == owner)


def _release_claim(account_id: int, owner: str) -> None:
    claim = models.AccountClaimRow
    is_own = (claim.account_id == account_id) & (claim.owner == owner)
    claim.delete().where(is_own).execute()


def save_credentials(
    account_id: int, credentials: Credentials, replaced: Credentials, secrets: SecretBox
) -> Credentials:
    stored = _load_credentials(account_id, secrets)
    if stored is not None and not stored.has_same_tokens(replaced):
        return stored
    table = models.AccountRow
    row = table.update(
        credentials=encrypt_credentials(credentials, secrets),
        expires_at=expiry_ms(credentials),
        updated_at=now_ms(),
    ).where(table.id == account_id)
    is_lost = table.state_kind == AccountStatus.REAUTH_REQUIRED
    if row.execute() and table.get_or_none(is_lost & (table.id == account_id)):
        raise_revision()  # who took the login for ended takes these
    return credentials


def _load_credentials(account_id: int, secrets: SecretBox) -> Credentials | None:
    row = models.AccountRow.get_or_none(models.AccountRow.id == account_id)
    if row is None:
        return None
    try:
        return decrypt_credentials(row.credentials, row.expires_at, secrets)
    except UnusableKey:
        return None
