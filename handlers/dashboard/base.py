"""Base of all pages: who may see them, how they are read, and what a form changes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from secrets import token_urlsafe
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

from tornado.escape import xhtml_escape

from gateway.errors import GatewayError
from gateway.keys.key import Key
from gateway.process.release import version
from gateway.sign_in.sessions import BrowserFacts, Session, xsrf_token
from gateway.sign_in.trusted_header import proxys_word, trusted_user
from gateway.sign_in.users import Role, User
from handlers.bodies import BodyHandler
from handlers.changes import make_change
from handlers.dashboard.doors import (
    PAGE_HEADERS,
    ForeignNavigation,
    check_door,
    cookie_name,
    is_session_safe,
)
from handlers.dashboard.forms import MAX_FORM_BYTES, SentForm, check_token, read_form
from handlers.dashboard.page_errors import (
    FreshSignInNeeded,
    RoleLacking,
    SignInNeeded,
    check_role,
)
from handlers.dashboard.rendering import render

T = TypeVar("T")
Reading = Callable[..., Mapping[str, Any]]  # run on a thread, with a connection

HOME = "/dashboard/"
SIGN_IN = "/dashboard/sign-in"
CONFIRM = "/dashboard/confirm"
HOLDERS = "/dashboard/my"
SESSION_COOKIE = "codexgate"
FORM_COOKIE = "codexgate-form"
# A page that a link elsewhere led to, without the cookie that only its reload brings.
_RELOADING = (
    '<!doctype html><html lang="en"><meta charset="utf-8">'
    '<meta http-equiv="refresh" content="0"><title>Codex Gateway</title>'
    '<p><a href="{url}">Go on</a></p></html>'
)


class PageHandler(BodyHandler):
    """A page of the dashboard; `least_role` by method, everybody's where none is."""

    max_body_bytes = MAX_FORM_BYTES
    has_own_door: ClassVar[bool] = True
    least_role: ClassVar[Mapping[str, Role]] = {
        "get": Role.VIEWER,
        "post": Role.OPERATOR,
    }
    is_for_holders: ClassVar[bool] = False  # of API keys, and for nobody else
    answers_links: ClassVar[bool] = False  # of other sites at once, without cookies
    keeps_query: ClassVar[bool] = False  # of a form's URL, over a sign-in
    session: Session | None = None
    user: User | None = None  # whose session it is
    holder: Key | None = None  # else the key that its holder signed in with
    problem: GatewayError | None = None  # with the form that was sent last
    given: Mapping[str, str] = {}  # that form's fields
    _named = ""  # by a sign-on proxy
    _new_form_token = ""

    @classmethod
    def allowed_methods(cls) -> tuple[str, ...]:
        """POST where a page has a form."""
        has_form = (cls.submit, cls.post) != (PageHandler.submit, PageHandler.post)
        return ("GET", "HEAD", "POST") if has_form else ("GET", "HEAD")

    def lookup(self) -> Awaitable[None] | None:
        """Of what another process may have begun: a session."""
        sign_in, token = self.gateway.sign_in, self.page_cookie(SESSION_COOKIE)
        is_safe = is_session_safe(self.facts, self.gateway.settings)
        is_other = is_safe and sign_in.is_unknown(token, time.time())
        return sign_in.learn(token, self.browser.network) if is_other else None

    def authenticate(self) -> None:
        """Raises what keeps this request from the page."""
        method = (self.request.method or "").lower()
        method = "get" if method == "head" else method
        facts, settings = self.facts, self.gateway.settings
        self._set_page_headers()
        try:
            check_door(facts, settings, method.upper())
        except ForeignNavigation:
            if self.answers_links:
                return  # to nobody in particular
            raise
        self._find_session()
        self.is_unlogged = self.session is not None or self.user is not None
        if self.is_for_holders:
            self._check_holder()
        elif method in self.least_role:
            has_session, least = self.session is not None, self.least_role[method]
            check_role(self.user, least, has_session=has_session, named=self._named)

    def _find_session(self) -> None:
        """By its cookie; without one, who signed in at a sign-on proxy."""
        sign_in, now = self.gateway.sign_in, time.time()
        settings, facts = self.gateway.settings, self.facts
        self.session = self.user = self.holder = None
        if is_session_safe(facts, settings):
            self.session = sign_in.find(self.page_cookie(SESSION_COOKIE), now)
        if self.session is not None:
            self.user = sign_in.user_of(self.session)
            self.holder = sign_in.key_of(self.session, now)
            return
        values_of = self.request.headers.get_list
        self._named = proxys_word(settings, facts.peer, values_of)
        if self._named:
            self.user = trusted_user(sign_in.user_named(self._named))

    def _check_holder(self) -> None:
        if self.session is None and self.user is None:
            raise SignInNeeded
        if self.seat is None:
            raise RoleLacking("This page is for who has a seat or an API key")

    @property
    def seat(self) -> Key | None:
        """The key that its holder signed in with, or that is the user's."""
        user = self.user
        return self.holder if user is None else self.gateway.oauth.seat_of(user.id)

    @property
    def actor(self) -> str:
        """As audit rows name who makes a change."""
        return "dashboard" if self.user is None else self.user.actor

    @property
    def browser(self) -> BrowserFacts:
        """Where the request is from, as sessions have it."""
        return BrowserFacts.of(self.facts, self.gateway.settings)

    @property
    def is_partial(self) -> bool:
        """Whether a page that is open asks for a part of itself."""
        return "hx-request" in self.facts.headers

    def must_be_fresh(self) -> None:
        """Raises FreshSignInNeeded unless somebody signed in minutes ago."""
        if self.session is None or not self.session.is_fresh(time.time()):
            raise FreshSignInNeeded

    async def show(self, template: str, read: Reading, *args: Any, **live: Any) -> None:
        """Send the page of what `read` finds, both off the loop.

        `read` gets `args`, and a connection of the database; `live` was read from
        memory before. Raises PageDeadline or PagesBusy.
        """
        common = self._common()

        def make() -> bytes:
            return render(template, {**common, **live, **read(*args)})

        self.finish(await self.gateway.store.page(make))

    async def show_apart(
        self, template: str, read: Reading, *args: Any, **live: Any
    ) -> None:
        """The same of what `read` finds without the database."""
        common, loop = self._common(), asyncio.get_running_loop()

        def make() -> bytes:
            return render(template, {**common, **live, **read(*args)})

        self.finish(await loop.run_in_executor(None, make))

    def show_plain(self, template: str, **values: Any) -> None:
        """Send a page that needs nothing of the database."""
        self.finish(render(template, {**self._common(), **values}))

    def go(self, path: str) -> None:
        """Go on elsewhere, as after every change."""
        if self.is_partial:
            self.set_header("hx-redirect", path)
            self.finish()
        else:
            self.redirect(path, status=303)

    async def post(self, *path: str) -> None:
        """Make the change that a form asks for; what is wrong stands in the page."""
        form = await self.form()
        try:
            await self.submit(form, *path)
        except (SignInNeeded, RoleLacking):
            raise
        except GatewayError as problem:
            if problem.status >= 500:
                raise
            self.set_status(problem.status)
            self.problem, self.given = problem, form
            await self.show_again(*path)

    async def submit(self, form: SentForm, *path: Any, **named: Any) -> None:
        """What a form of this page does; ends with `go`."""
        raise NotImplementedError

    async def show_again(self, *path: Any, **named: Any) -> None:
        """The page of a form that was refused."""
        page = self.get(*path)
        if page is not None:
            await page

    async def form(self) -> SentForm:
        """The fields. Raises InvalidPayload, FormExpired, and as `authenticate`."""
        kind = self.request.headers.get("content-type", "")
        body = await self.read_body()
        self.authenticate()  # a body takes its time, and a session may end in it
        form = read_form(kind, body)
        self.release_body()
        check_token(form, self.facts.headers, self.form_token)
        return form

    @property
    def form_token(self) -> str:
        """What every form of this page sends back: its cookie, before a session is."""
        if self.session is not None:
            return xsrf_token(self.page_cookie(SESSION_COOKIE))
        token = self.page_cookie(FORM_COOKIE)
        if not token:
            token = self._new_form_token = self._new_form_token or token_urlsafe(24)
            self.set_page_cookie(FORM_COOKIE, token)
        return token

    def page_cookie(self, purpose: str) -> str:
        """The value of one of our cookies, "" for none."""
        name = cookie_name(self.facts, self.gateway.settings, purpose)
        return self.get_cookie(name) or ""

    def set_page_cookie(
        self, purpose: str, value: str, max_age: int | None = None
    ) -> None:
        """`max_age` in seconds; None: until the browser is closed, 0: remove it."""
        name = cookie_name(self.facts, self.gateway.settings, purpose)
        self.set_cookie(
            name,
            value,
            path="/",
            max_age=max_age,
            secure=name.startswith("__Host-"),
            httponly=True,
            samesite="Strict",
        )

    async def change(self, function: Callable[..., T], *args: Any) -> T:
        """Make a change in the database, and have it hold for the next request."""
        return await make_change(self.gateway, function, *args)

    def write_error_body(self, error: GatewayError) -> None:
        self._set_page_headers()
        self.set_status(200)
        has_form = self.request.method not in ("GET", "HEAD")
        is_whole = self.keeps_query or not has_form
        again = (self.request.uri if is_whole else self.request.path) or HOME
        if isinstance(error, SignInNeeded):
            page = SIGN_IN if self.session is None else CONFIRM
            unsent = "&unsent=1" if has_form else ""
            self.go(f"{page}?next={quote(again, safe='')}{unsent}")
        elif isinstance(error, RoleLacking) and self.seat and self.request.path == HOME:
            self.go(HOLDERS)
        elif isinstance(error, ForeignNavigation):
            url = xhtml_escape(self.request.uri or HOME)
            self.finish(_RELOADING.format(url=url).encode())
        else:
            self.set_status(error.status)
            self.show_plain("message.html", error=error, again=again)

    def _common(self) -> dict[str, Any]:
        settings = self.gateway.settings
        return {
            "user": self.user,
            "own_seat": self.seat,
            "session": self.session,
            "xsrf": self.form_token,
            "path": self.request.path,
            "problem": self.problem,
            "given": self.given,
            "zone": settings.time_zone,
            "version": version(),
            "now": time.time(),
        }

    def _set_page_headers(self) -> None:
        for name, value in PAGE_HEADERS.items():
            self.set_header(name, value)
