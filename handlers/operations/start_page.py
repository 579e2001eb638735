"""GET /: to the dashboard for browsers that may; else the product's name.

For who sits at this machine it has what is missing, too.
"""

import time
from html import escape

from gateway.admission.client_address import is_local
from gateway.doctor.first_steps import NAME, first_steps, shown
from gateway.repository.description import describe_account
from handlers.dashboard.base import HOME
from handlers.dashboard.doors import is_open
from handlers.operations.not_found import NotFoundHandler

# Nothing but its own text: no script, no style, in nobody's frame.
_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HTML = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    '<meta name="viewport" content="width=device-width"><pre>{text}</pre></html>\n'
)


class StartPageHandler(NotFoundHandler):
    """For browsers as HTML, for curl as text; strangers learn the name only."""

    def check_head(self) -> None:
        """Nothing else is here, and a POST is from a client with a wrong base URL."""
        if self.request.method not in ("GET", "HEAD"):
            super().check_head()

    def get(self) -> None:
        is_html = "text/html" in self.facts.headers.get("accept", "")
        if is_html and is_open(self.facts, self.gateway.settings):
            self.redirect(HOME)
            return
        text = NAME
        if is_local(self.facts):
            text = f"{NAME}\n{shown(self._steps())}"
        kind = "html" if is_html else "plain"
        self.set_header("content-type", f"text/{kind}; charset=utf-8")
        self.set_header("content-security-policy", _POLICY)
        self.set_header("x-content-type-options", "nosniff")
        self.set_header("referrer-policy", "no-referrer")
        self.set_header("cache-control", "no-store")
        self.set_header("vary", "Accept")
        page = _HTML.format(title=NAME, text=escape(text))
        self.finish(page if is_html else f"{text}\n")

    def _steps(self) -> dict[str, str]:
        gateway, now = self.gateway, time.time()
        states = [
            describe_account(account, now, gateway.pool.verdicts.base(account))["state"]
            for account in gateway.pool.accounts.values()
        ]
        keys = len(gateway.ring) if gateway.ring.ever_made else None
        return first_steps(gateway.settings, states, keys)
