"""/dashboard/users and /dashboard/sessions: who may come in, and who is."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from gateway.admin.errors import NotThere, Unacceptable
from gateway.admin.users import changes
from gateway.sign_in.links import LINK_PATH
from gateway.sign_in.sessions import Session
from gateway.sign_in.users import Role, User
from handlers.dashboard.changes.one_time import ONE_TIME_FIELD, OneTimeForms
from handlers.dashboard.forms import SentForm
from handlers.dashboard.sign_in.signing_in import UsersOwnPage

USERS = "/dashboard/users"
SESSIONS = "/dashboard/sessions"
MOST_SHOWN = 50  # rows of a page
_OWNERS: Mapping[str, Role] = {"get": Role.OWNER, "post": Role.OWNER}


class OwnersPage(UsersOwnPage):
    """What is about users: for owners who signed in lately."""

    least_role: ClassVar[Mapping[str, Role]] = _OWNERS

    def show_link(self, made: changes.MadeLink) -> None:
        """This once: it is the answer to the form, and no page of its own."""
        origin = self.gateway.settings.public_url or f"http://{self.facts.host}"
        url = f"{origin}{LINK_PATH}{made.token.reveal()}"
        until = made.expires_at
        self.show_plain("sign_in/made_link.html", url=url, name=made.user, until=until)


class UsersPage(OwnersPage):
    """All users, and a new one."""

    def get(self) -> None:
        self.must_be_fresh()
        sign_in = self.gateway.sign_in
        counts: dict[int | None, int] = {}
        for session in sign_in.sessions(time.time()):
            counts[session.user_id] = counts.get(session.user_id, 0) + 1
        shown = sorted(sign_in.users, key=lambda one: one.name.casefold())
        self.show_plain(
            "sign_in/users.html",
            users=shown[:MOST_SHOWN],
            hidden=max(0, len(shown) - MOST_SHOWN),
            counts=counts,
            seated={key.user_id for key in self.gateway.ring},
            roles=list(Role),
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        self.must_be_fresh()
        name, role = form.get("name", ""), _role(form)
        made = await self.change(changes.create_user, name, role, self.actor)
        self.show_link(made)


class UserPage(OwnersPage):
    """One user: role, a link for a new password, in or out of service, gone."""

    def get(self, number: str) -> None:
        self.must_be_fresh()
        user, once = self._user(number), self._forms.issue(self.form_token)
        self.show_plain(
            "sign_in/user.html",
            one=user,
            roles=list(Role),
            once=once,
            seat=self.gateway.oauth.seat_of(user.id),
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        self.must_be_fresh()
        user, action = self._user(path[0]), form.get("action", "")
        _, session = self.own
        if action == "link":
            # Made again by a page loaded again, it would void the one given away.
            self._forms.take(form.get(ONE_TIME_FIELD, ""), self.form_token)
            self.show_link(
                await self.change(changes.link_for_user, user.id, self.actor)
            )
            return
        if action == "role":
            change = partial(changes.change_role, session=session.id)
            await self.change(change, user.id, _role(form), self.actor)
        elif action in ("disable", "enable"):
            change = partial(changes.disable_user, disabled=action == "disable")
            await self.change(change, user.id, self.actor)
        elif action == "remove":
            if form.get("name", "").strip() != user.name:
                raise Unacceptable("Type the name, so that it is no slip", param="name")
            await self.change(changes.remove_user, user.id, self.actor)
            self.go(USERS)
            return
        else:
            raise Unacceptable("There is no such action", param="action")
        self.go(f"{USERS}/{user.id}")

    @property
    def _forms(self) -> OneTimeForms:
        return OneTimeForms.of(self.settings)

    def _user(self, number: str) -> User:
        for user in self.gateway.sign_in.users:
            if str(user.id) == number:
                return user
        raise NotThere("user", f"#{number}")


def _role(form: SentForm) -> Role:
    given = form.get("role", "")
    if given not in list(Role):
        raise Unacceptable(f"A role is one of {', '.join(Role)}", param="role")
    return Role(given)


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A session, and whose it is."""

    session: Session
    whose: str
    is_this: bool


class SessionsPage(UsersOwnPage):
    """One's own sessions, an owner's page those of all; each can be ended."""

    least_role: ClassVar[Mapping[str, Role]] = {
        "get": Role.VIEWER,
        "post": Role.VIEWER,
    }

    def get(self) -> None:
        shown = self._shown()
        self.show_plain(
            "sign_in/sessions.html",
            sessions=shown[:MOST_SHOWN],
            hidden=max(0, len(shown) - MOST_SHOWN),
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        ended = form.get("session", "")
        for one in self._shown():
            if str(one.session.id) == ended:
                await self.gateway.sign_in.sign_out(one.session, self.actor)
                break
        else:
            raise NotThere("session", f"#{ended:.20}")
        self.go(SESSIONS)

    def _shown(self) -> list[ShownSession]:
        user, own = self.own
        sign_in, now = self.gateway.sign_in, time.time()
        found = []
        for session in sign_in.sessions(now):
            owner, key = sign_in.user_of(session), sign_in.key_of(session, now)
            whose = owner.name if owner else f"key {key.name}" if key else ""
            if user.role is Role.OWNER or session.user_id == user.id:
                found.append(ShownSession(session, whose, session.id == own.id))
        return found
