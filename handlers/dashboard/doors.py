"""Who may ask for a page at all, decided from a request's head.

A page is asked for by a browser, so what browsers say of where a request comes from is
checked besides the session: Host, Origin and the Sec-Fetch headers (Fetch Metadata,
W3C working draft of 2025). No cookie counts where one of these is wrong.
"""

from collections.abc import Mapping
from ipaddress import ip_address

from gateway.admission.client_address import (
    AUTHORITY,
    RequestFacts,
    is_https,
    is_local,
)
from gateway.admission.origins import check_origin
from gateway.errors import ForbiddenOrigin, GatewayError, NotFound
from gateway.protocol.facts import Origin
from gateway.settings import Settings

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
# What a page of ours, or a person with an address bar, makes a browser send.
_OWN_SITE = frozenset({"same-origin", "none"})
# Nothing but what this origin serves; no inline script or style, in nobody's frame.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "vary": "Cookie, HX-Request, Sec-Fetch-Site",
}


class DashboardClosed(GatewayError):
    """The dashboard is not open to this client; the text says which setting is."""

    status = 403
    code = "dashboard_closed"
    type = "permission_error"
    origin: Origin = "client"


class ForeignNavigation(GatewayError):
    """A link elsewhere led here: a Strict cookie comes with the reloaded page only."""

    status = 200
    is_logged = True  # it is no refusal


def check_door(facts: RequestFacts, settings: Settings, method: str) -> None:
    """Refuse what no browser of the owner's sends.

    Raises NotFound, DashboardClosed, ForbiddenOrigin; and ForeignNavigation for a link
    from another site, whose page has to be asked for once more.
    """
    _check_open(facts, settings)
    if is_linked_from_elsewhere(facts.headers, method):
        raise ForeignNavigation
    if not _is_own_page_without_referrer(facts.headers):
        check_origin(facts, settings)
    if method not in ("GET", "HEAD"):
        _check_own_form(facts)


def check_static_door(facts: RequestFacts, settings: Settings) -> None:
    """As for pages; but no link of another site leads to a script."""
    _check_open(facts, settings)
    check_origin(facts, settings)


def is_open(facts: RequestFacts, settings: Settings) -> bool:
    """Whether this client may ask for pages."""
    try:
        _check_open(facts, settings)
    except GatewayError:
        return False
    return True


def _check_open(facts: RequestFacts, settings: Settings) -> None:
    if settings.dashboard == "off":
        raise NotFound("Not Found")
    if settings.dashboard == "local" and not is_local(facts):
        raise DashboardClosed(
            "The dashboard is open to this machine's own browsers only; "
            "GATEWAY_DASHBOARD=on opens it to others"
        )
    _check_host(facts, settings)


def _check_host(facts: RequestFacts, settings: Settings) -> None:
    """A page of a foreign name that resolves to our address is another site's."""
    if facts.host_name.removesuffix(".") not in _own_hosts(settings):
        shown = "".join(c if c.isprintable() else "?" for c in facts.host[:100])
        raise DashboardClosed(
            f"The Host '{shown}' is not the dashboard's: it answers to the name of "
            "GATEWAY_PUBLIC_URL, to the address of GATEWAY_HOST and to localhost"
        )


def _own_hosts(settings: Settings) -> set[str]:
    own = set(_LOOPBACK_NAMES)
    public = AUTHORITY.fullmatch(settings.public_url.partition("://")[2].lower())
    if public is not None:
        own.add(public["host"])
    try:
        if ip_address(settings.host).is_unspecified:
            return own
    except ValueError:
        pass  # a name
    bound = settings.host.lower()
    return own | {f"[{bound}]" if ":" in bound else bound}


def is_linked_from_elsewhere(headers: Mapping[str, str], method: str) -> bool:
    """Whether a browser follows a link of another site, as from a chat."""
    return (
        method in ("GET", "HEAD")
        and _said(headers, "site") in ("cross-site", "same-site")
        and _said(headers, "mode") == "navigate"
        and _said(headers, "dest") == "document"
    )


def _is_own_page_without_referrer(headers: Mapping[str, str]) -> bool:
    """A form of a page with `no-referrer`, as all of ours: its Origin is "null".

    So says Fetch, 3.2; whose page it is stands in a header that no page can set.
    """
    return headers.get("origin") == "null" and _said(headers, "site") == "same-origin"


def _check_own_form(facts: RequestFacts) -> None:
    """A form is a page's of ours: every browser says so in one header at least."""
    has_origin = "origin" in facts.headers  # it is our own, `check_origin` has seen
    if not has_origin and _said(facts.headers, "site") != "same-origin":
        raise ForbiddenOrigin


def is_session_safe(facts: RequestFacts, settings: Settings) -> bool:
    """Whether a session may be used, or begun, over this connection.

    Without TLS it is this machine's own browser that says where a request is from.
    """
    if is_https(facts, settings):
        return True
    return is_local(facts) and _said(facts.headers, "site") in _OWN_SITE


def why_session_unsafe(facts: RequestFacts, settings: Settings) -> str:
    """What is to be set, so that somebody can sign in."""
    if is_local(facts):
        return (
            "This browser does not say where its requests come from (Sec-Fetch-Site): "
            "over plain http only browsers that do can be signed in"
        )
    if not any(name.startswith("x-forwarded") for name in facts.headers):
        return (
            "Signing in needs https: have a proxy with TLS stand in front, and set "
            "GATEWAY_PUBLIC_URL and GATEWAY_TRUSTED_PROXIES"
        )
    if facts.headers.get("x-forwarded-proto", "").lower().endswith("https"):
        return (
            "Signing in needs https, by the word of a trusted proxy: set "
            "GATEWAY_TRUSTED_PROXIES to the address of the proxy in front"
        )
    return "Signing in needs https: use the https address of this gateway"


def cookie_name(facts: RequestFacts, settings: Settings, purpose: str) -> str:
    """`__Host-` keeps other hosts from setting it; without TLS the port tells apart."""
    if is_https(facts, settings):
        return f"__Host-{purpose}"
    match = AUTHORITY.fullmatch(facts.host)
    return f"{purpose}-{(match and match['port']) or 80}"


def _said(headers: Mapping[str, str], name: str) -> str:
    return headers.get(f"sec-fetch-{name}", "").strip().lower()
