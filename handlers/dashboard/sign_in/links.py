"""/dashboard/link: opens once, for a new password."""

from typing import ClassVar
from urllib.parse import urlencode

from gateway.errors import InvalidPayload
from gateway.sign_in.users import Role
from handlers.dashboard.base import HOLDERS, SIGN_IN
from handlers.dashboard.forms import SentForm
from handlers.dashboard.sign_in.own_sign_in import SECURITY
from handlers.dashboard.sign_in.signing_in import FIRST_RUN, EntryPage


class LinkPage(EntryPage):
    """The token is sent by POST: by the script from the fragment, or typed.

    It is used up by the password, and looked at before, so that the page says whose.
    """

    answers_links: ClassVar[bool] = True  # a reload may lose the fragment

    def get(self) -> None:
        self._show_form("", None)

    def _show_form(self, token: str, whose: str | None) -> None:
        user = self.gateway.sign_in.user_named(whose or "")
        is_new = user is not None and user.password is None
        self.show_plain(
            "sign_in/link.html",
            token=token,
            name=whose,
            is_new=is_new,
            is_invited=is_new and user is not None and user.role is Role.HOLDER,
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        self.check_safe()
        token = form.get("token", "").strip().rpartition("#")[2]
        sign_in = self.gateway.sign_in
        whose = await sign_in.whose_link(token)
        if "password" not in form:
            self._show_form(token, whose)
            return
        name, password = form.get("name", ""), form["password"]
        if password != form.get("again"):
            raise InvalidPayload("The two passwords differ", param="again")
        session = await sign_in.use_link(token, name, password, self.browser)
        if session is None:
            self.go(f"{SIGN_IN}?{urlencode({'name': whose, 'next': HOLDERS})}")
            return
        self.begin(session)
        self.go(f"{SECURITY if whose else FIRST_RUN}/authenticator")

    async def show_again(self, *path: str) -> None:
        """The password's form, as long as the link is good."""
        token = self.given.get("token", "")
        if not token or "password" not in self.given:
            await super().show_again(*path)
            return
        token = token.strip().rpartition("#")[2]
        whose = await self.gateway.sign_in.whose_link(token)
        self._show_form(token, whose)
