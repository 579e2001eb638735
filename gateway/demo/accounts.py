"""Accounts of the scripted upstream, with obviously fake secrets."""

import base64
import itertools
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_serial = itertools.count(1)


def jwt(claims: dict[str, Any]) -> str:
    """An unsigned token: Codex and the gateway read claims without verifying them."""
    header = {"alg": "none", "typ": "JWT"}
    return f"{_encoded(header)}.{_encoded(claims)}.fake-signature"


def _encoded(value: dict[str, Any]) -> str:
    text = json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@dataclass(slots=True)
class DemoAccount:
    """A ChatGPT-style account; `issue` gives it a new set of tokens."""

    name: str
    plan: str = "plus"
    primary_percent: float = 12.0  # used of the 5-hour window
    secondary_percent: float = 30.0  # used of the weekly window
    limited_until: float = 0.0  # told by a 429; its usage says so, too
    routing: str = "NO_CONSTRAINT"  # as its workspace check says
    lifetime: float = 864_000.0  # seconds an access token is valid
    id_token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self.issue()

    @property
    def account_id(self) -> str:
        return f"acc-{self.name}"

    @property
    def email(self) -> str:
        return f"{self.name}@demo.example"

    def issue(self) -> None:
        """New tokens; the old refresh token is spent from now on."""
        serial = next(_serial)
        now = int(time.time())
        about = {
            "email": self.email,
            "iat": now,
            "exp": int(now + self.lifetime),
            "jti": f"fake-{serial}",
            "https://api.openai.com/auth": {
                "chatgpt_account_id": self.account_id,
                "chatgpt_plan_type": self.plan,
                "chatgpt_user_id": f"user-{self.name}",
            },
        }
        self.id_token = jwt(about)
        self.access_token = jwt({**about, "scp": ["openid", "offline_access"]})
        self.refresh_token = f"fake-refresh-{self.name}-{serial}"

    def auth_document(self) -> dict[str, Any]:
        """The auth.json that `codex login` would have written."""
        return {
            "OPENAI_API_KEY": None,
            "tokens": {
                "id_token": self.id_token,
                "access_token": self.access_token,
                "refresh_token": self.refresh_token,
                "account_id": self.account_id,
            },
            "last_refresh": time.strftime(
                "%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time())
            ),
        }

    @property
    def personal_access_token(self) -> str:
        return f"at-fake-0123456789-of-{self.name}"

    def access_document(self) -> dict[str, Any]:
        """The auth.json that `codex login --with-access-token` would have written."""
        token = self.personal_access_token
        return {"OPENAI_API_KEY": None, "personal_access_token": token}

    def write_auth_file(self, folder: Path) -> Path:
        """Write NAME.json into the folder and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(self.auth_document()))
        path.chmod(0o600)
        return path
