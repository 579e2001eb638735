"""The admin token: a file only its owner reads, made on first need."""

import hmac
import secrets
from pathlib import Path

from gateway.secret import Secret
from gateway.store.private_file import create_file

FILE = "admin.token"


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
