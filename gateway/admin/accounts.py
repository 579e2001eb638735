"""The operator's changes to accounts; `name` also takes an account's number."""

import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gateway.accounts.account import (
    API_KEY_PRIORITY,
    SUBSCRIPTION_PRIORITY,
    AccountKind,
    Credentials,
)
from gateway.admin.entities import ACCOUNT_CHANGE
from gateway.admin.entity import Changed
from gateway.admin.errors import AlreadyThere, Unacceptable
from gateway.admin.names import (
    find_row,
    free_name,
    row_to_change,
    unlike_others,
)
from gateway.admin.views import show_account
from gateway.repository import accounts, audit
from gateway.repository.row_ids import fresh_id
from gateway.secret import Secret
from gateway.store.encryption import SecretBox
from gateway.store.models import (
    AccountClaimRow,
    AccountRow,
    ApiKeyRow,
    BindingRow,
    now_ms,
)
from gateway.upstream.logins.auth_json import Login

_VISIBLE = re.compile(r"[!-~]+")
_REGION = re.compile(r"[a-z][a-z0-9_-]{1,15}")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a login: `is_new` account, or an update of a known one."""

    name: str
    is_new: bool
    kept_newer: bool = False  # what was stored is newer than what came


@dataclass(frozen=True, slots=True)
class ApiKeyAccount:
    """An OpenAI-compatible endpoint: requests go to `{base_url}/responses`."""

    name: str
    base_url: str
    api_key: Secret
    priority: int = API_KEY_PRIORITY
    concurrency: int | None = None
    websockets: bool = False
    residency: str = ""
    chat_parameters: bool = False


def save_login(
    login: Login,
    secrets: SecretBox,
    actor: str,
    *,
    name: str | None = None,
    source_file: str | None = None,
) -> Imported:
    """Add the account of a login, or give a known one its new tokens."""
    row = AccountRow.get_or_none(
        (AccountRow.chatgpt_account_id == login.chatgpt_account_id)
        & (AccountRow.chatgpt_user_id == login.chatgpt_user_id)
    )
    if row is None:
        return _add_login(login, secrets, actor, name, source_file)
    if name is not None and name != row.name:
        row.name = free_name(AccountRow, name)
    row.email = login.email or row.email
    row.plan = login.plan or row.plan
    # A login of the gateway's own is not read from any file again.
    row.source_file = source_file
    row.updated_at = now_ms()
    new = accounts.expiry_ms(login.credentials)
    held = accounts.account_of(row, secrets, time.time())
    # Logins rotate their tokens; an access token is what its owner wants it to be.
    are_logins = not (
        held.credentials.is_access_token or login.credentials.is_access_token
    )
    is_well = held.health.login_reason is None
    kept_newer = are_logins and is_well and (row.expires_at or 0) > (new or 0)
    if not kept_newer:
        row.credentials = accounts.encrypt_credentials(login.credentials, secrets)
        row.expires_at = new
        row.state_kind, row.state_until, row.state_reason = "active", None, None
        row.state_detail = accounts.detail_after_login(row.state_detail)
    row.save()
    audit.record(actor, "account.update", row.name, source=source_file)
    return Imported(row.name, is_new=False, kept_newer=kept_newer)


def _add_login(
    login: Login,
    secrets: SecretBox,
    actor: str,
    name: str | None,
    source_file: str | None,
) -> Imported:
    wanted = login.email or login.chatgpt_account_id
    row = AccountRow.create(
        force_insert=True,
        id=fresh_id(AccountRow),
        name=free_name(AccountRow, name) if name is not None else unlike_others(wanted),
        kind=AccountKind.CHATGPT.value,
        chatgpt_account_id=login.chatgpt_account_id,
        chatgpt_user_id=login.chatgpt_user_id,
        email=login.email,
        plan=login.plan,
        credentials=accounts.encrypt_credentials(login.credentials, secrets),
        expires_at=accounts.expiry_ms(login.credentials),
        source_file=source_file,
        priority=SUBSCRIPTION_PRIORITY,
    )
    audit.record(actor, "account.add", row.name, kind=row.kind, source=source_file)
    return Imported(row.name, is_new=True)


def add_api_key_account(
    wanted: ApiKeyAccount, secrets: SecretBox, actor: str
) -> Imported:
    """Raises Unacceptable, or AlreadyThere when the name is taken."""
    if not wanted.api_key:
        raise Unacceptable("The API key is empty", param="api_key")
    if not _VISIBLE.fullmatch(wanted.api_key.reveal()):  # it goes into a header
        raise Unacceptable(
            "The API key has characters that no key has", param="api_key"
        )
    row = AccountRow.create(
        force_insert=True,
        id=fresh_id(AccountRow),
        name=free_name(AccountRow, wanted.name),
        kind=AccountKind.API_KEY.value,
        base_url=checked_base_url(wanted.base_url),
        credentials=accounts.encrypt_credentials(
            Credentials(api_key=wanted.api_key), secrets
        ),
        priority=_checked("priority", wanted.priority),
        concurrency=_checked("concurrency", wanted.concurrency),
        has_websockets=wanted.websockets,
        residency=checked_residency(wanted.residency),
        takes_chat_parameters=wanted.chat_parameters,
    )
    audit.record(actor, "account.add", row.name, kind=row.kind, base_url=row.base_url)
    return Imported(row.name, is_new=True)


def _checked(name: str, number: int | None) -> int:
    return 0 if number is None else ACCOUNT_CHANGE[name].check_bounds(number)


def checked_base_url(url: str) -> str:
    """Raises Unacceptable for what requests could not be sent to."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        is_url = parts.port != 0 and _VISIBLE.fullmatch(url) is not None
    except ValueError:  # brackets, or a port, that are none
        is_url = False
    if not is_url or parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unacceptable(
            f"base URL {url!r}: give http(s)://host[/path], as in https://api.openai.com/v1",
            param="base_url",
        )
    if parts.username or parts.query or parts.fragment:
        raise Unacceptable(
            "base URL: neither user, nor query, nor fragment belongs there",
            param="base_url",
        )
    url = url.rstrip("/")
    for ending in ("/responses", "/chat/completions"):
        if url.endswith(ending):
            right = url.removesuffix(ending)
            raise Unacceptable(
                f"base URL: {ending} is added to it; give {right}", param="base_url"
            )
    return url


def checked_residency(region: str) -> str:
    """Raises Unacceptable for what cannot be sent as a region's name."""
    region = region.strip().lower()
    if region and not _REGION.fullmatch(region):
        raise Unacceptable(
            "residency: give a region as upstream names it, as in us", param="residency"
        )
    return region


def set_paused(name: str, actor: str, *, paused: bool) -> Changed:
    """Out of service from the next request on, or back."""
    row = row_to_change(AccountRow, name)
    before = _settings_of(row)
    row.is_paused, row.updated_at = paused, now_ms()
    row.save(only=["is_paused", "updated_at"])
    audit.record(actor, "account.pause" if paused else "account.resume", row.name)
    return Changed.between(str(row.name), before, _settings_of(row))


def resume_account(name: str, secrets: SecretBox, actor: str) -> dict[str, Any]:
    """Back into service where no gateway runs, and how it fares by the database."""
    changed, now = set_paused(name, actor, paused=False), time.time()
    row = find_row(AccountRow, changed.name, exact=True)
    return show_account(accounts.account_of(row, secrets, now), now) | changed.shown()


def change_account(account: str, changes: dict[str, Any], actor: str) -> Changed:
    """Set the fields of `ACCOUNT_CHANGE`; None takes a cap away."""
    row = row_to_change(AccountRow, account)
    before = _settings_of(row)
    columns = ["updated_at"]
    row.updated_at = now_ms()
    for name, value in changes.items():
        field = ACCOUNT_CHANGE[name]
        if name == "name":
            value = (
                row.name if value == row.name else free_name(AccountRow, value or "")
            )
        elif field.type is int:
            value = _checked(name, value)
        elif name == "residency":
            value = checked_residency(value or "")
        elif name == "chat_parameters" and row.kind != AccountKind.API_KEY.value:
            raise Unacceptable(
                "only an account with an API key may be a compatible server", param=name
            )
        columns.append(field.column or name)
        setattr(row, columns[-1], value)
    row.save(only=columns)
    changed = Changed.between(str(row.name), before, _settings_of(row))
    audit.record(
        *(actor, "account.update", before["name"]),
        before=changed.before,
        after=changed.after,
    )
    return changed


def _settings_of(row: AccountRow) -> dict[str, Any]:
    """What an operator sets, as it is shown."""
    shown = ACCOUNT_CHANGE.shown(
        row, concurrency=row.concurrency or None, residency=row.residency or None
    )
    return shown | {"paused": row.is_paused}


def remove_account(name: str, actor: str) -> Changed:
    """Forget the account and its credentials; what it did stays in the log."""
    row = row_to_change(AccountRow, name, exact=True)
    only_keys = _keys_bound_to(row.id)
    if only_keys:
        raise AlreadyThere(
            f"'{row.name}' is the only account of the keys {', '.join(only_keys)}; "
            "give them another one, or remove them first"
        )
    AccountRow.delete().where(AccountRow.id == row.id).execute()
    BindingRow.delete().where(BindingRow.account_id == row.id).execute()
    AccountClaimRow.delete().where(AccountClaimRow.account_id == row.id).execute()
    audit.record(actor, "account.remove", row.name, id=row.id)
    state = "paused" if row.is_paused else row.state_kind
    return Changed(str(row.name), {"state": state}, {"state": "removed"})


def _keys_bound_to(account_id: int) -> list[str]:
    """Keys that may use this account alone: without it they could use none."""
    keys = ApiKeyRow.select().where(ApiKeyRow.accounts.is_null(False))
    return [key.name for key in keys if key.accounts == f"[{account_id}]"]
