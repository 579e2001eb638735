"""/oauth/authorize: where Codex's link leads (RFC 6749, 4.1.1; RFC 7636)."""

import hmac
from typing import ClassVar

from gateway.errors import GatewayError
from gateway.oauth.authorization import SignInLink, read_request
from gateway.oauth.client_rules import CALLBACK_PATH
from gateway.oauth.errors import ClientFault, OAuthError, RequestOver
from handlers.dashboard.doors import CONTENT_POLICY
from handlers.dashboard.forms import SentForm
from handlers.dashboard.oauth.consent import ConsentPage
from handlers.dashboard.page_errors import SignInNeeded


class AuthorizePage(ConsentPage):
    """Consent is asked each time; the answer goes to the client with the browser."""

    keeps_query: ClassVar[bool] = True

    async def get(self) -> None:
        asked, oauth = self._asked(), self.gateway.oauth
        user = await self.person()
        handle = await oauth.open_request(asked, self.browser, user.id)
        # The answer to the form leads to the client; no other address may be led to.
        client = asked.redirect_uri.removesuffix(CALLBACK_PATH)
        own = "form-action 'self'"
        policy = CONTENT_POLICY.replace(own, f"{own} {client}")
        self.set_header("content-security-policy", policy)
        fields = {"request": handle, "bound": self._bound(handle)}
        self.show_consent(user, await oauth.pending(handle), fields)

    async def submit(self, form: SentForm, *path: str) -> None:
        user, is_allowed = await self.person(), self.decision(form)
        handle, oauth = form.get("request", ""), self.gateway.oauth
        if not hmac.compare_digest(
            form.get("bound", "").encode(), self._bound(handle).encode()
        ):
            raise RequestOver
        if is_allowed:
            url = await oauth.approve(handle, user.id, form.get("name", ""))
        else:
            url = await oauth.deny(handle)
        self.redirect(url, status=303)

    async def show_again(self, *path: str) -> None:
        """Nothing is opened anew: Codex begins again."""
        assert self.problem is not None
        raise self.problem

    def write_error_body(self, error: GatewayError) -> None:
        """What is wrong with the link is told before anybody signs in for it."""
        if isinstance(error, SignInNeeded) and self.request.method != "POST":
            try:
                self._asked()
            except (ClientFault, OAuthError) as fault:
                error = fault
        if isinstance(error, OAuthError) and error.callback is not None:
            self.redirect(error.callback, status=303)
        else:
            super().write_error_body(error)

    def _asked(self) -> SignInLink:
        """Raises ClientFault, or an OAuthError that is the client's to know."""
        given = self.request.query_arguments
        try:
            told = {name: value.decode() for name, (value,) in given.items()}
        except ValueError as error:  # a name twice, or no UTF-8
            raise ClientFault from error
        return read_request(told)

    def _bound(self, handle: str) -> str:
        """What shows that the request was opened in this very session."""
        return hmac.new(self.form_token.encode(), handle.encode(), "sha256").hexdigest()
