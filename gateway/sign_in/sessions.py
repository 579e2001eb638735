"""Sessions: who has signed in, from where, and until when."""

import hmac
import json
import secrets
from dataclasses import dataclass, field

import peewee as pw

from gateway.admission.client_address import (
    RequestFacts,
    client_address,
    client_network,
    is_https,
)
from gateway.keys.key import Key, KeyRing, digest
from gateway.repository import audit
from gateway.repository.row_ids import fresh_id
from gateway.settings import Settings
from gateway.sign_in.users import MOST_NETWORKS, User
from gateway.store.users.tables import SessionRow, UserRow

_HOUR = 3600
_DAY = 24 * _HOUR
# On loopback without TLS: for a day's work.
LOOPBACK_SECONDS = 12 * _HOUR
# With TLS: a month, as long as somebody comes by in a week.
TLS_SECONDS = 30 * _DAY
IDLE_SECONDS = 7 * _DAY
# What needs a fresh sign-in needs one so recent.
FRESH_SECONDS = 600
# That it was seen is written no more often.
SEEN_EVERY_SECONDS = 60
# A user's or a key's; one more ends the oldest.
MOST_SESSIONS = 20
_LONGEST_AGENT = 200  # of the column


@dataclass(frozen=True, slots=True)
class BrowserFacts:
    """Where somebody signs in from."""

    address: str
    network: str
    user_agent: str
    has_tls: bool

    @classmethod
    def of(cls, facts: RequestFacts, settings: Settings) -> "BrowserFacts":
        agent = facts.headers.get("user-agent", "")
        return cls(
            client_address(facts, settings),
            client_network(facts, settings),
            "".join(c if c.isprintable() else "?" for c in agent)[:_LONGEST_AGENT],
            is_https(facts, settings),
        )


@dataclass(frozen=True, slots=True)
class Session:
    """Times in unix seconds. `user_id`, or of an API key's holder `key_id`."""

    id: int
    digest: str = field(repr=False)  # SHA-256 of its token
    user_id: int | None
    key_id: int | None
    key_digest: str | None = field(repr=False)
    address: str
    user_agent: str
    created_at: float
    signed_in_at: float  # or confirmed
    seen_at: float
    expires_at: float

    def is_over(self, now: float) -> bool:
        return now >= min(self.expires_at, self.seen_at + IDLE_SECONDS)

    def is_fresh(self, now: float) -> bool:
        """Whether whoever has it has proved lately who that is."""
        return 0 <= now - self.signed_in_at < FRESH_SECONDS


def new_token() -> str:
    """256 random bits, of a session or a link."""
    return secrets.token_urlsafe(32)


def xsrf_token(session_token: str) -> str:
    """What a form of the session's pages holds; it tells nothing of the session."""
    return hmac.new(session_token.encode(), b"xsrf", "sha256").hexdigest()


def key_of_session(session: Session, ring: KeyRing, now: float) -> Key | None:
    """The key its holder signed in with, as long as that very token is good."""
    key = None if session.key_id is None else ring.get(session.key_id)
    if key is None or key.disabled or key.is_expired(now):
        return None
    is_old = session.key_digest == key.old_digest and key.has_overlap(now)
    return key if is_old or session.key_digest == key.digest else None


# In a transaction.


def load_sessions() -> list[Session]:
    return list(map(_session_of, SessionRow.select().order_by(SessionRow.id)))


def load_session(hashed: str) -> Session | None:
    """The one with a token of that digest."""
    row = SessionRow.get_or_none(SessionRow.digest == hashed)
    return None if row is None else _session_of(row)


def _session_of(row: SessionRow) -> Session:
    return Session(
        row.id,
        row.digest,
        row.user_id,
        row.key_id,
        row.key_digest,
        row.address,
        row.user_agent,
        row.created_at / 1000,
        row.signed_in_at / 1000,
        row.seen_at / 1000,
        row.expires_at / 1000,
    )


def begin_session(
    owner: User | Key,
    token: str,
    browser: BrowserFacts,
    now: float,
    key_digest: str = "",
) -> None:
    """Store a new session; the oldest of too many end, and all that are over."""
    ms = int(now * 1000)
    lifetime = TLS_SECONDS if browser.has_tls else LOOPBACK_SECONDS
    mine = {"key_id": owner.id, "key_digest": key_digest}
    if isinstance(owner, User):
        mine = {"user_id": owner.id}
    SessionRow.delete().where(_is_past(ms)).execute()
    SessionRow.create(
        force_insert=True,
        id=fresh_id(SessionRow),  # who ends an old one must not end this
        digest=digest(token),
        address=browser.address,
        user_agent=browser.user_agent,
        created_at=ms,
        signed_in_at=ms,
        seen_at=ms,
        expires_at=ms + lifetime * 1000,
        **mine,
    )
    column = SessionRow.user_id if isinstance(owner, User) else SessionRow.key_id
    own = column == owner.id
    latest = SessionRow.select(SessionRow.id).where(own).order_by(SessionRow.id.desc())
    kept = SessionRow.id.in_(latest.limit(MOST_SESSIONS))
    SessionRow.delete().where(own & ~kept).execute()
    whose = owner.actor if isinstance(owner, User) else f"key:{owner.name}"
    audit.record(whose, "session.begin", owner.name, address=browser.address)
    if isinstance(owner, User):
        networks = [
            browser.network,
            *(n for n in owner.networks if n != browser.network),
        ]
        UserRow.update(
            signed_in_at=ms, networks=json.dumps(networks[:MOST_NETWORKS])
        ).where(UserRow.id == owner.id).execute()


def confirm_session(session_id: int, now: float) -> None:
    row = SessionRow.update(signed_in_at=int(now * 1000))
    row.where(SessionRow.id == session_id).execute()


def note_seen(session_id: int, now: float) -> None:
    row = SessionRow.update(seen_at=int(now * 1000))
    row.where(SessionRow.id == session_id).execute()


def end_sessions(user_id: int, keep: int | None = None) -> None:
    """End a user's sessions but the one it keeps."""
    SessionRow.delete().where(
        (SessionRow.user_id == user_id) & (SessionRow.id != (keep or 0))
    ).execute()


def end_key_sessions(key_id: int) -> None:
    SessionRow.delete().where(SessionRow.key_id == key_id).execute()


def end_if_over(session_id: int, now: float) -> None:
    """Unless another process has seen it since."""
    ms = int(now * 1000)
    row = SessionRow.delete().where((SessionRow.id == session_id) & _is_past(ms))
    row.execute()


def _is_past(ms: int) -> pw.Expression:
    is_idle = SessionRow.seen_at <= ms - IDLE_SECONDS * 1000
    return (SessionRow.expires_at <= ms) | is_idle


def end_session(session_id: int) -> bool:
    """Whether there was one."""
    return bool(SessionRow.delete().where(SessionRow.id == session_id).execute())
