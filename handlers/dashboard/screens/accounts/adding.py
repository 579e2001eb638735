"""/dashboard/add-account: a login by a code, a file or a token, or an API key.

The first run has the same forms: they are in `add_account_forms.html`, and `next`
leads back to where they stand.
"""

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote

from gateway.admin.accounts import ApiKeyAccount, Imported, add_api_key_account
from gateway.admin.errors import Unacceptable
from gateway.admin.logins.batch import NewLogin, save_logins
from gateway.admin.logins.brought import read_import
from gateway.admin.logins.online import OnlineLogin
from gateway.admin.names import free_name
from gateway.app import Gateway
from gateway.errors import NotFound
from gateway.secret import Secret
from gateway.sign_in.users import Role
from gateway.store.models import AccountRow
from handlers.dashboard.base import PageHandler
from handlers.dashboard.forms import SentForm, own_page
from handlers.dashboard.screens.accounts.account import whole_number
from handlers.dashboard.screens.accounts.views import ACCOUNTS_PATH, account_path

_FORGOTTEN = "This login is not known any more, as after a restart: begin another"
LOGINS = "/dashboard/add-account"
OWNER: Mapping[str, Role] = {"get": Role.OWNER, "post": Role.OWNER}


class AddAccountScreen(PageHandler):
    least_role: ClassVar = OWNER

    async def get(self) -> None:
        running = [
            one for one in self.gateway.background.of(OnlineLogin) if one.is_running
        ]
        given = self.get_query_argument("next", "")
        leads_to = own_page(self.given.get("next", given))
        self.show_plain("add_account.html", next=leads_to, running=running)

    async def submit(self, form: SentForm) -> None:
        match form.get("way"):
            case "code":
                await self._begin_login(form)
            case "file" | "token":
                await self._import(form)
            case "api_key":
                await self._add_endpoint(form)
            case _:
                raise Unacceptable("Choose how the account is added", param="way")

    async def _begin_login(self, form: SentForm) -> None:
        name = _name(form)
        if name is not None:  # rather than when the owner has confirmed the code
            await self.gateway.store.read(free_name, AccountRow, name)
        login = OnlineLogin(self.gateway, self.actor, name=name)
        self.gateway.background.start(login)
        await login.wait_for_code()
        self.go(login_path(login.id, form))

    async def _import(self, form: SentForm) -> None:
        way, gateway = form["way"], self.gateway
        field = "token" if way == "token" else "auth"
        brought = form.get(field, "").strip().encode()
        if way == "file":
            brought = form.files.get("file", b"").strip() or brought
        if not brought:
            what = "the token" if way == "token" else "the text, or choose the file"
            raise Unacceptable(f"Paste {what}", param=field)
        try:
            login = await read_import(gateway.settings, brought)
        except Unacceptable as error:
            raise Unacceptable(str(error), param=field) from error
        new = NewLogin(login, _name(form))
        (saved,) = await self.change(save_logins, [new], gateway.secrets, self.actor)
        self._end(form, saved)

    async def _add_endpoint(self, form: SentForm) -> None:
        wanted = ApiKeyAccount(
            name=form.get("name", ""),
            base_url=form.get("base_url", ""),
            api_key=Secret(form.get("api_key", "").strip()),
            priority=whole_number(form, "priority") or 0,
            concurrency=whole_number(form, "concurrency", is_optional=True),
            websockets="websockets" in form,
            residency=form.get("residency", ""),
            chat_parameters="chat_parameters" in form,
        )
        secrets = self.gateway.secrets
        saved = await self.change(add_api_key_account, wanted, secrets, self.actor)
        self._end(form, saved)

    def _end(self, form: SentForm, saved: Imported) -> None:
        """To where the form was asked for, else to the account."""
        path = path_of_saved(self.gateway, saved)
        told = "kept" if saved.kept_newer else "added" if saved.is_new else "renewed"
        self.go(own_page(form.get("next", "")) or f"{path}?told={told}")


def login_path(id: str, form: SentForm) -> str:
    """A login's page; from there on to what the form's `next` says."""
    leads_to = own_page(form.get("next", ""))
    return f"{LOGINS}/{id}" + (f"?next={quote(leads_to, safe='')}" if leads_to else "")


def path_of_saved(gateway: Gateway, saved: Imported) -> str:
    """The account's page; all accounts' when it is gone again."""
    held = gateway.pool.accounts.values()
    named = (account_path(one) for one in held if one.name == saved.name)
    return next(named, ACCOUNTS_PATH)


def _name(form: SentForm) -> str | None:
    """What it is to be called; None: as upstream calls it."""
    return form.get("name", "").strip() or None


class DeviceLoginScreen(PageHandler):
    """/dashboard/add-account/ID: the code to enter, and what has become of it."""

    least_role: ClassVar = OWNER

    async def get(self, id: str) -> None:
        login = self.gateway.background.find(OnlineLogin, id)
        if login is None:
            if self.is_partial:  # the whole page says it
                self.go(self.request.path)
                return
            raise NotFound(_FORGOTTEN)
        saved = login.saved
        self.show_plain(
            "device_login_state.html" if self.is_partial else "device_login.html",
            login=login,
            account_path=saved and path_of_saved(self.gateway, saved),
            next=own_page(self.get_query_argument("next", "")),
        )

    async def submit(self, form: SentForm, id: str) -> None:
        """Cancel it."""
        login = self.gateway.background.find(OnlineLogin, id)
        if login is None:
            raise NotFound(_FORGOTTEN)
        await login.cancel()
        self.go(login_path(id, form))
