"""/dashboard/sign-in, sign-out and confirm."""

from collections.abc import Mapping
from typing import ClassVar

from gateway.settings import COMMAND
from gateway.sign_in.sessions import LOOPBACK_SECONDS, TLS_SECONDS, Session
from gateway.sign_in.users import Role, User
from handlers.dashboard.base import HOLDERS, HOME, SESSION_COOKIE, PageHandler
from handlers.dashboard.doors import (
    DashboardClosed,
    is_session_safe,
    why_session_unsafe,
)
from handlers.dashboard.forms import SentForm, own_page
from handlers.dashboard.page_errors import RoleLacking, SignInNeeded

FIRST_RUN = "/dashboard/first-run"
# Pages to which Codex leads a person.
_CODEX_WAITS = ("/oauth/authorize", "/device")
_LONGEST_NAME = 80


class EntryPage(PageHandler):
    """What is open to nobody in particular, and where guesses are made."""

    least_role: ClassVar[Mapping[str, Role]] = {}

    def check_safe(self) -> None:
        """Raises DashboardClosed where no session may begin."""
        facts, settings = self.facts, self.gateway.settings
        if not is_session_safe(facts, settings):
            raise DashboardClosed(why_session_unsafe(facts, settings))

    def begin(self, token: str) -> None:
        """Have the browser keep a new session's token as long as it lasts."""
        lifetime = TLS_SECONDS if self.browser.has_tls else LOOPBACK_SECONDS
        self.set_page_cookie(SESSION_COOKIE, token, lifetime)

    @property
    def was_unsent(self) -> bool:
        """Whether a form led here, which has changed nothing."""
        return bool(self.get_query_argument("unsent", ""))

    def next_page(self, given: str) -> str:
        return own_page(given) or HOME

    async def show_again(self, *path: str) -> None:
        """Who was refused is told when to try again, and the owner who it was."""
        if self.problem is not None:
            self.note_refusal(self.problem)
            for name, value in self.problem.headers(codex=False).items():
                self.set_header(name, value)
        await super().show_again(*path)


class SignInPage(EntryPage):
    """For users by name and password, and for API keys' holders by the key."""

    def get(self) -> None:
        wanted = self.get_query_argument("next", self.given.get("next", ""))
        if not self.gateway.sign_in.is_set_up:
            self.go(FIRST_RUN)
        elif self.session is not None and self.problem is None:
            self.go(self.next_page(wanted) if self.user else HOLDERS)
        else:
            facts, settings = self.facts, self.gateway.settings
            is_safe = is_session_safe(facts, settings)
            why = "" if is_safe else why_session_unsafe(facts, settings)
            self.show_plain(
                "sign_in/sign_in.html",
                next=wanted,
                is_codex=wanted.startswith(_CODEX_WAITS),
                invited=self.get_query_argument("name", "")[:_LONGEST_NAME],
                unsent=self.was_unsent,
                unsafe=why,
                program=COMMAND,
            )

    async def submit(self, form: SentForm, *path: str) -> None:
        self.check_safe()
        sign_in, key = self.gateway.sign_in, form.get("key", "").strip()
        if key:
            self.begin(await sign_in.sign_in_with_key(key, self.browser))
            self.go(HOLDERS)
            return
        name, password = form.get("name", ""), form.get("password", "")
        code = form.get("code", "")
        self.begin(await sign_in.sign_in(name, password, code, self.browser))
        self.go(self.next_page(form.get("next", "")))


class SignOutPage(EntryPage):
    """Ends the session."""

    @classmethod
    def allowed_methods(cls) -> tuple[str, ...]:
        return ("POST",)

    async def submit(self, form: SentForm, *path: str) -> None:
        if self.session is not None:
            holder = f"key:{self.holder.name}" if self.holder else self.actor
            await self.gateway.sign_in.sign_out(self.session, holder)
        self.set_page_cookie(SESSION_COOKIE, "", 0)
        self.go("/dashboard/sign-in")


class UsersOwnPage(EntryPage):
    """What a user alone has: neither strangers nor keys' holders get there."""

    least_role: ClassVar[Mapping[str, Role]] = {
        "get": Role.HOLDER,
        "post": Role.HOLDER,
    }

    @property
    def own(self) -> tuple[User, Session]:
        """Who asks, by which session."""
        if self.session is None:
            raise SignInNeeded
        if self.user is None:
            raise RoleLacking("An API key has no user")
        return self.user, self.session


class ConfirmPage(UsersOwnPage):
    """Asks whoever has a session to prove once more who that is."""

    def get(self) -> None:
        wanted = self.get_query_argument("next", self.given.get("next", ""))
        self.show_plain("sign_in/confirm.html", next=wanted, unsent=self.was_unsent)

    async def submit(self, form: SentForm, *path: str) -> None:
        _, session = self.own
        password, code = form.get("password", ""), form.get("code", "")
        sign_in = self.gateway.sign_in
        await sign_in.confirm(session, password, code, self.browser)
        self.go(self.next_page(form.get("next", "")))
