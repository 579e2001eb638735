"""The `auth.json` of a Codex login: its tokens and what their claims say.

Claims are read without checking the signature: the file is the owner's own, and
upstream judges the tokens. They tell names and dates, never what is allowed.
"""

import base64
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.accounts.account import Credentials
from gateway.protocol.lenient_json import child, load_object
from gateway.protocol.numbers import unix_time
from gateway.secret import Secret

MAX_FILE_BYTES = 1024 * 1024
_AUTH_CLAIM = "https://api.openai.com/auth"


@dataclass(frozen=True, slots=True)
class Login:
    """One login: who it is upstream, and its tokens."""

    credentials: Credentials
    chatgpt_account_id: str
    chatgpt_user_id: str = ""
    email: str | None = None
    plan: str | None = None
    refreshed_at: float | None = None  # unix seconds


def read_login(path: str | os.PathLike[str]) -> Login:
    """Blocks. Raises OSError, or ValueError saying what is wrong with the file."""
    return parse_login(read_login_file(path))


def read_login_file(path: str | os.PathLike[str]) -> bytes:
    """Blocks. Raises OSError, or ValueError for no regular file and a large one."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("is no regular file")  # a pipe would be waited for
    with open(path, "rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError("is too large for an auth.json")
    return content


def parse_login(content: bytes | str) -> Login:
    """Both spellings, snake_case and camelCase. Raises ValueError for people."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        # The parser's own words would quote the file.
        raise ValueError("is not JSON") from error
    return read_document(document)


def read_document(document: object) -> Login:
    """The same of what was parsed already."""
    if not isinstance(document, dict):
        raise ValueError("is not a JSON object")
    tokens = document.get("tokens")
    if not isinstance(tokens, dict):
        if document.get("OPENAI_API_KEY"):
            raise ValueError(
                "holds an API key and no ChatGPT login; use `accounts add` for it"
            )
        if document.get("agent_identity"):
            raise ValueError("holds an agent's identity, which only Codex can use")
        raise ValueError("has no tokens; was it written by `codex login`?")
    credentials = tokens_to_credentials(
        field_text(tokens, "access_token", "accessToken"),
        field_text(tokens, "refresh_token", "refreshToken"),
        field_text(tokens, "id_token", "idToken"),
    )
    refreshed = field_text(document, "last_refresh", "lastRefresh", "lastRefreshAt")
    return login_of(
        credentials, field_text(tokens, "account_id", "accountId"), unix_time(refreshed)
    )


def document_of(login: Login) -> dict[str, Any]:
    """An auth.json that is read as this login: with its tokens, as they are."""
    held = login.credentials
    texts = {
        name: token.reveal()
        for name in ("access_token", "refresh_token", "id_token")
        if (token := getattr(held, name)) is not None
    }
    if held.is_access_token:
        return {"personal_access_token": texts["access_token"]}
    tokens = texts | {"account_id": login.chatgpt_account_id}
    return {"tokens": tokens}


def tokens_to_credentials(
    access_token: str | None, refresh_token: str | None, id_token: str | None
) -> Credentials:
    """Credentials with the expiry the access token claims. Raises ValueError."""
    if not access_token:
        raise ValueError("has no access token")
    if not refresh_token:
        raise ValueError("has no refresh token")
    return Credentials(
        access_token=Secret(access_token),
        refresh_token=Secret(refresh_token),
        id_token=Secret(id_token) if id_token else None,
        expires_at=unix_time(claims(access_token).get("exp")),
    )


def login_of(
    credentials: Credentials,
    account_id: str | None = None,
    refreshed_at: float | None = None,
) -> Login:
    """Who the tokens belong to. Raises ValueError when they do not say."""
    about: dict[str, Any] = {}
    for token in (credentials.access_token, credentials.id_token):
        about |= claims(token.reveal()) if token is not None else {}
    auth = child(about, _AUTH_CLAIM)
    account_id = account_id or field_text(auth, "chatgpt_account_id")
    if not account_id:
        raise ValueError("does not say which ChatGPT account it belongs to")
    return Login(
        credentials,
        chatgpt_account_id=account_id,
        chatgpt_user_id=field_text(auth, "chatgpt_user_id", "user_id") or "",
        email=field_text(about, "email"),
        plan=field_text(auth, "chatgpt_plan_type"),
        refreshed_at=refreshed_at,
    )


def claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified; {} for anything else."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        return load_object(base64.urlsafe_b64decode(padded))
    except ValueError:
        return {}


def field_text(source: Mapping[str, Any], *names: str) -> str | None:
    """The first of these fields that has a text in it."""
    for name in names:
        value = source.get(name)
        found = value.strip() if isinstance(value, str) else ""
        if found and found.isprintable():  # it goes into headers and the database
            return found
    return None
