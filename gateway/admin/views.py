"""Accounts and keys as an operator sees them: no secret, times in unix seconds."""

import time
from typing import Any

from gateway.accounts.account import Account
from gateway.accounts.verdicts import BaseUrl
from gateway.admin.costs.cost_limits import tell_unpriced
from gateway.admin.entities import ACCOUNT
from gateway.admin.key_rules.entities import KEY
from gateway.admin.names import find_row
from gateway.keys.key import Key
from gateway.keys.limiter import Limiter
from gateway.repository.accounts import load_accounts
from gateway.repository.description import describe_account
from gateway.repository.keys import load_keys
from gateway.repository.options import shown_rules
from gateway.repository.startup import stored_counters
from gateway.store import models
from gateway.store.encryption import SecretBox
from gateway.store.log.activity import last_uses
from gateway.store.users.oauth_tables import DeviceRow


def show_account(
    account: Account, now: float, base: BaseUrl | None = None
) -> dict[str, Any]:
    """Who it is, and how it fares as far as this process knows."""
    return ACCOUNT.shown(
        account,
        kind=account.kind.value,
        concurrency=account.concurrency or None,
        websockets=account.websockets,
        chat_parameters=account.takes_chat_parameters,
        source_file=account.source_path,
        auth=account.credentials.kind,
        token_expires_at=account.credentials.expires_at,
        **describe_account(account, now, base),
    )


def stored_accounts(secrets: SecretBox) -> list[dict[str, Any]]:
    """All accounts as the database has them, for when no gateway runs."""
    now = time.time()
    return [show_account(account, now) for account in load_accounts(secrets)]


def show_key(key: Key, names: dict[int, str], now: float) -> dict[str, Any]:
    """`names` of the accounts, by number."""
    is_expired, has_overlap = key.is_expired(now), key.has_overlap(now)
    return KEY.shown(
        key,
        state="disabled" if key.disabled else "expired" if is_expired else "active",
        old_prefix=key.old_prefix if has_overlap else None,
        old_expires_at=key.old_expires_at if has_overlap else None,
        models=list(key.models),
        accounts=None
        if key.accounts is None
        else [names.get(one, f"#{one}") for one in sorted(key.accounts)],
        limits=[str(limit) for limit in key.limits],
        **shown_rules(key.rules),
    )


def stored_keys() -> list[dict[str, Any]]:
    """All keys with what is used of their limits, as the database has it."""
    now, names, uses = time.time(), account_names(), last_uses()
    limiter = Limiter()
    limiter.ledger.restore(stored_counters(now))
    return [
        show_key(key, names, now)
        | {
            "usage": tell_unpriced(key.id, limiter.report(key, now)),
            "last_used_at": uses.get(key.id),
        }
        for key in load_keys()
    ]


def stored_key(name: str) -> dict[str, Any]:
    """One, by name, number or prefix. Raises NotThere."""
    key_id = find_row(models.ApiKeyRow, name).id
    return next(one for one in stored_keys() if one["id"] == key_id)


def account_names() -> dict[int, str]:
    account = models.AccountRow
    return {row.id: row.name for row in account.select(account.id, account.name)}


def device_names(numbers: set[int]) -> dict[int, str]:
    """Of those that are known still."""
    device = DeviceRow
    found = device.select(device.id, device.name).where(device.id.in_(numbers))
    return {row.id: row.name for row in found} if numbers else {}


def key_names() -> dict[int, str]:
    key = models.ApiKeyRow
    return {row.id: row.name for row in key.select(key.id, key.name)}
