"""Access tokens, as `codex login --with-access-token` takes them.

They are used as they are and never refreshed. Whose a token is, it says itself where it
is a JWT; of others (`at-…`) upstream tells, as it tells Codex.
"""

import re

import aiohttp
import orjson

from gateway.accounts.account import Credentials
from gateway.protocol.local_failures import login_failed
from gateway.protocol.numbers import unix_time
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.upstream import UpstreamFault
from gateway.upstream.api import fetch
from gateway.upstream.http import open_session
from gateway.upstream.logins.auth_json import (
    Login,
    claims,
    field_text,
    login_of,
    read_document,
)

_WHOAMI = "/api/accounts/v1/user-auth-credential/whoami"
_TOKEN = re.compile(r"at-[!-~]+|[\w-]+\.[\w-]+\.[\w-]*")
_LONGEST = 16 * 1024


def parse_import(content: bytes) -> Login | Secret:
    """The login in an auth.json; a Secret is an access token, also one by itself.

    Raises ValueError for people.
    """
    bare = content.strip().decode("ascii", "replace")
    if _is_token(bare):
        return Secret(bare)
    try:
        return imported_document(orjson.loads(content))
    except orjson.JSONDecodeError as error:
        # The parser's own words would quote the file.
        raise ValueError("is not JSON") from error


def imported_document(document: object) -> Login | Secret:
    """The same of an auth.json that was parsed already."""
    held = document.get("personal_access_token") if isinstance(document, dict) else None
    if not held:
        return read_document(document)
    if not isinstance(held, str) or not _is_token(held.strip()):
        raise ValueError("has an access token that cannot be one")
    return Secret(held.strip())


def _is_token(text: str) -> bool:
    return len(text) <= _LONGEST and _TOKEN.fullmatch(text) is not None


async def identified(settings: Settings, found: Login | Secret) -> Login:
    """What was imported, with whose it is: of an access token upstream may tell.

    Raises UpstreamFault when upstream refuses it, or does not answer.
    """
    if isinstance(found, Login):
        return found
    async with open_session(settings) as session:
        return await _owned(session, settings.auth_base_url, found)


async def _owned(
    session: aiohttp.ClientSession, auth_base_url: str, token: Secret
) -> Login:
    told = claims(token.reveal())
    credentials = Credentials(access_token=token, expires_at=unix_time(told.get("exp")))
    if told:
        try:
            return login_of(credentials)
        except ValueError as error:
            raise _refused(f"It {error}") from error
    headers = {
        "authorization": f"Bearer {token.reveal()}",
        "accept": "application/json",
    }
    url = auth_base_url.rstrip("/") + _WHOAMI
    answer = await fetch(session, "GET", url, headers=headers)
    owner = answer.json()
    account_id = field_text(owner, "chatgpt_account_id")
    if answer.status != 200 or account_id is None:
        raise _refused(f"Upstream does not take it (status {answer.status})")
    return Login(
        Credentials(access_token=token, expires_at=unix_time(owner.get("expires_at"))),
        chatgpt_account_id=account_id,
        chatgpt_user_id=field_text(owner, "chatgpt_user_id") or "",
        email=field_text(owner, "email"),
        plan=field_text(owner, "chatgpt_plan_type"),
    )


def _refused(why: str) -> UpstreamFault:
    return UpstreamFault(
        login_failed(f"That access token is none: {why}", "access_token_refused")
    )
