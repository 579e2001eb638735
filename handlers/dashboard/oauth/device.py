"""/device: where a person types the code that Codex shows (RFC 8628, 3.3)."""

from handlers.dashboard.forms import SentForm
from handlers.dashboard.oauth.consent import ConsentPage

# What the page says after it, a reload of which decides nothing again.
_DECIDED = {True: "allowed", False: "refused"}


class DevicePage(ConsentPage):
    """The code comes from the form alone: one in a URL is approved by who is lured."""

    async def get(self) -> None:
        await self.person()
        decided = self.get_query_argument("decided", "")
        if decided in _DECIDED.values():
            is_allowed = decided == _DECIDED[True]
            self.show_plain("oauth/device_decided.html", is_allowed=is_allowed)
        else:
            self.show_plain("oauth/device.html")

    async def submit(self, form: SentForm, *path: str) -> None:
        user, flow = await self.person(), self.gateway.device_flow
        typed = form.get("code", "")
        if "action" not in form:
            found = await flow.find(typed, user.id, self.browser)
            self.show_consent(user, found, {"code": typed})
            return
        is_allowed = self.decision(form)
        if is_allowed:
            await flow.approve(typed, user.id, form.get("name", ""), self.browser)
        else:
            await flow.deny(typed, user.id, self.browser)
        self.go(f"/device?decided={_DECIDED[is_allowed]}")
