"""SignIn: signs in, knows who has, and ends sessions; what pages ask.

Synchronous, for every page:

    sign_in.is_set_up                 somebody has a password; until then only the
                                      first-run page answers
    sign_in.find(token, now)          the Session of a cookie, or None
    sign_in.user_of(session)          its User, or None: it is a key holder's
    sign_in.key_of(session, now)      its Key, or None: it is a user's
    session.is_fresh(now)             signed in or confirmed within ten minutes
    user.role.includes(Role.OPERATOR) what a role may
    xsrf_token(token)                 in `sessions`: what a session's forms hold

Awaited, from forms; each raises a GatewayError whose words are for the page:
`sign_in`, `sign_in_with_key`, `use_link` give a new session's token for the cookie.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from gateway.admission.lookups import Lookups
from gateway.keys.key import Key, KeyRing, digest
from gateway.secret import Secret
from gateway.sign_in import account_rows, links
from gateway.sign_in.guesses import (
    Guesses,
    SignInRefused,
    address_subject,
    is_stranger,
    subjects_of,
)
from gateway.sign_in.passwords import Passwords
from gateway.sign_in.sessions import (
    SEEN_EVERY_SECONDS,
    BrowserFacts,
    Session,
    begin_session,
    confirm_session,
    end_if_over,
    end_session,
    key_of_session,
    load_session,
    load_sessions,
    new_token,
    note_seen,
)
from gateway.sign_in.totp import WrongCode, is_secret, new_recovery_codes, step_of
from gateway.sign_in.users import (
    User,
    folded,
    load_users,
)
from gateway.store.database import StoreUnavailable
from gateway.store.encryption import SecretBox
from gateway.store.store import Store

_LONGEST_TOKEN = 100


class SignIn:
    """One per process; users and sessions are in memory, as API keys are."""

    def __init__(self, store: Store, secrets: SecretBox, ring: KeyRing) -> None:
        self.passwords = Passwords()
        self.guesses = Guesses(store)
        self._store = store
        self._secrets = secrets
        self._ring = ring
        self._users: dict[int, User] = {}
        self._sessions: dict[str, Session] = {}  # by digest
        self._lookups = Lookups(store)
        self._loading = asyncio.Lock()

    def close(self) -> None:
        self.passwords.close()

    async def load(self) -> None:
        """Take over what the database has. Raises StoreUnavailable."""
        async with self._loading:  # what is older never comes after what is newer
            sessions = await self._store.read(load_sessions)
            users = await self._store.read(load_users)
            self._users = {user.id: user for user in users}
            self._sessions = {session.digest: session for session in sessions}

    # Questions.

    @property
    def is_set_up(self) -> bool:
        return any(user.password is not None for user in self._users.values())

    @property
    def users(self) -> list[User]:
        return list(self._users.values())

    def user_named(self, name: str) -> User | None:
        wanted = folded(name)
        named = (user for user in self.users if folded(user.name) == wanted)
        return next(named, None)

    def find(self, token: str, now: float) -> Session | None:
        """The session of a cookie, while its user or key may still come in."""
        session = self._sessions.get(digest(token)) if _is_token(token) else None
        if session is None:
            return None
        if not self._is_valid(session, now):
            del self._sessions[session.digest]
            if session.is_over(now):
                self._submit(end_if_over, session.id, now)
            else:
                self._submit(end_session, session.id)
            return None
        if now - session.seen_at >= SEEN_EVERY_SECONDS:
            session = replace(session, seen_at=now)
            self._sessions[session.digest] = session
            self._submit(note_seen, session.id, now)
        return session

    def is_unknown(self, token: str, now: float) -> bool:
        """Whether another process may have begun it, or have seen it since."""
        held = self._sessions.get(digest(token)) if _is_token(token) else None
        return _is_token(token) and (held is None or held.is_over(now))

    async def learn(self, token: str, network: str) -> None:
        """Look such a session up, off the loop."""
        found = await self._lookups.find(network, load_session, digest(token))
        if found is None:
            return
        self._sessions[found.digest] = found
        if found.user_id is not None and found.user_id not in self._users:
            with suppress(StoreUnavailable):
                await self.load()

    def user_of(self, session: Session) -> User | None:
        return None if session.user_id is None else self._users.get(session.user_id)

    def key_of(self, session: Session, now: float) -> Key | None:
        return key_of_session(session, self._ring, now)

    def sessions(self, now: float) -> list[Session]:
        """All that are open, the latest first."""
        held = self._sessions.values()
        valid = [one for one in held if self._is_valid(one, now)]
        return sorted(valid, key=lambda one: one.id, reverse=True)

    # What forms ask for.

    async def sign_in(
        self, name: str, password: str, code: str, browser: BrowserFacts
    ) -> str:
        """Raises SignInRefused, SignInTooSoon, GatewayOverloaded."""
        user, token = self.user_named(name), new_token()
        subjects = subjects_of(name, user, browser)

        def begin(now: float) -> None:
            assert user is not None
            begin_session(user, token, browser, now)

        is_new = is_stranger(user, browser)
        proof = self._prove(user, password, code, begin, is_new)
        await self.guesses.take(subjects, proof)
        await self.load()
        return token

    async def sign_in_with_key(self, key_token: str, browser: BrowserFacts) -> str:
        """A session of an API key's holder, as long as that token is good."""
        now, token = time.time(), new_token()
        key, flaw = self._ring.check(key_token, now)

        async def prove() -> bool:
            if key is None or flaw or not self.is_set_up:
                return False
            holder = digest(key_token)
            await self._store.write(begin_session, key, token, browser, now, holder)
            return True

        try:
            await self.guesses.take([address_subject(browser)], prove())
        except SignInRefused:
            raise SignInRefused("The API key is wrong, disabled or ended") from None
        await self.load()
        return token

    async def confirm(
        self, session: Session, password: str, code: str, browser: BrowserFacts
    ) -> None:
        """Make a user's session fresh again. Raises as `sign_in`."""
        user = self.user_of(session)
        subjects = subjects_of(user.name if user else "", user, browser)
        confirmed = partial(confirm_session, session.id)
        await self.guesses.take(subjects, self._prove(user, password, code, confirmed))
        await self.load()

    async def sign_out(self, session: Session, actor: str) -> None:
        """End a session, one's own or another's."""
        self._sessions.pop(session.digest, None)
        user = self.user_of(session)
        whose = user.name if user else f"key {session.key_id}"
        await self._store.write(account_rows.sign_out, session.id, whose, actor)
        await self.load()

    async def whose_link(self, link: str) -> str | None:
        """The name of its user; None: it makes the first one. Raises LinkOver."""
        user = await self._store.page(links.user_of_link, link, time.time())
        return None if user is None else str(user.name)

    async def use_link(
        self, link: str, name: str, password: str, browser: BrowserFacts
    ) -> str | None:
        """Give its user the password, or make the first owner; `name` is for that.

        None: the person was invited, and signs in with it. Raises LinkOver,
        WeakPassword, InvalidPayload for the name.
        """
        await self.whose_link(link)  # a stranger has nothing hashed
        kept, token = await self.passwords.hash(password), new_token()
        use, write = account_rows.use_link, self._store.write
        has_begun = await write(use, link, name, kept, token, browser)
        await self.load()
        return token if has_begun else None

    async def change_password(self, session: Session, password: str) -> None:
        """The user's other sessions end. Raises WeakPassword."""
        kept = await self.passwords.hash(password)
        await self._change(session, account_rows.change_password, kept)

    async def set_totp(self, session: Session, secret: str, code: str) -> list[str]:
        """Ask for codes of this secret from now on; gives the codes for its loss.

        The other sessions end. Raises WrongCode and AlreadyOn.
        """
        step = step_of(secret, code, time.time(), 0) if is_secret(secret) else None
        if step is None:
            raise WrongCode(param="code")
        codes, box = new_recovery_codes(), self._secrets
        totp = account_rows.NewTotp(Secret(secret), step, tuple(codes))
        await self._change(session, account_rows.set_totp, totp, box)
        return codes

    async def drop_totp(self, session: Session) -> None:
        """Ask for no code any more; the other sessions end."""
        await self._change(session, account_rows.drop_totp)

    async def _change(
        self, session: Session, function: Callable[..., None], *args: Any
    ) -> None:
        user = self.user_of(session)
        if user is None:
            raise SignInRefused("This is for users; an API key has no password")
        change = account_rows.within_session
        await self._store.write(change, function, user, session.id, *args)
        await self.load()

    async def _prove(
        self,
        user: User | None,
        password: str,
        code: str,
        then: Callable[[float], None],
        is_new: bool = False,
    ) -> bool:
        """Whether it is the user; `then` is part of the code's transaction."""
        code = code[:_LONGEST_TOKEN]
        kept = None if user is None else user.password
        matches = self.passwords.matches
        is_right = await matches(password, kept, is_stranger=is_new)
        if user is None or not is_right:
            return False
        return await self._store.write(
            account_rows.enter, user, code, self._secrets, then
        )

    def _is_valid(self, session: Session, now: float) -> bool:
        """Whether it is not over, and whose it is may still come in."""
        user = self.user_of(session)
        is_owned = not user.disabled if user else self.key_of(session, now) is not None
        return is_owned and not session.is_over(now)

    def _submit(self, function: Callable[..., Any], *args: Any) -> None:
        """Have it written, without waiting; what a full disk takes none of is lost."""
        with suppress(StoreUnavailable):
            self._store.writer.submit(function, *args)


def _is_token(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_TOKEN and text.isascii()
