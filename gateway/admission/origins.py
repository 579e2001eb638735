"""Web pages: those of another origin are refused, but for an owner's browser apps.

These may call /v1, always with a key. CORS as in the Fetch standard (section 3.2):
without credentials, so that no cookie and no login of the browser's ever counts.
"""

from collections.abc import Mapping

from gateway.admission.client_address import AUTHORITY, RequestFacts
from gateway.errors import ForbiddenOrigin
from gateway.settings import Settings

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Sec-Fetch-Site of requests that no page of another origin has made; "" is no
# browser. A page on another port of this machine is of another origin, too, and
# for a picture or a script it sends no Origin: only "same-site" shows it.
_NO_FOREIGN_PAGE = frozenset({"", "same-origin", "none"})
BASE_PATH = "/v1/"
# What SDKs read of an answer; a browser shows a page nothing else.
_EXPOSED = (
    "x-request-id",
    "retry-after",
    "openai-processing-ms",
    *(
        f"x-ratelimit-{what}-{unit}"
        for what in ("limit", "remaining", "reset")
        for unit in ("requests", "tokens")
    ),
)
# The wildcard never means Authorization, which has to be named (Fetch, 3.2.3).
PREFLIGHT_HEADERS = {
    "access-control-allow-methods": "GET, HEAD, POST",
    "access-control-allow-headers": "authorization, *",
    "access-control-max-age": "600",
}


def is_trusted_app(facts: RequestFacts, settings: Settings) -> bool:
    """Whether a page of a trusted origin made a request below /v1."""
    origin = facts.headers.get("origin", "")
    return origin in settings.allowed_origins and facts.path.startswith(BASE_PATH)


def cors_headers(facts: RequestFacts, settings: Settings) -> Mapping[str, str]:
    """The headers of an answer below /v1 that let such a page read it, and no other."""
    if not settings.allowed_origins or not facts.path.startswith(BASE_PATH):
        return {}
    if not is_trusted_app(facts, settings):
        return {"vary": "Origin"}
    return {
        "vary": "Origin",
        "access-control-allow-origin": facts.headers["origin"],
        "access-control-expose-headers": ", ".join(_EXPOSED),
    }


def check_origin(facts: RequestFacts, settings: Settings) -> None:
    """Refuse what a web page of another origin makes a browser send."""
    site = facts.headers.get("sec-fetch-site", "").strip().lower()
    if site not in _NO_FOREIGN_PAGE:
        raise ForbiddenOrigin
    text = facts.headers.get("origin")
    if text is None:
        return
    origin = _origin(text.strip().lower())
    if origin is None:  # "null" is the origin of a sandboxed frame or a file
        raise ForbiddenOrigin
    # TLS may end before us, so the scheme of the Host is taken from the Origin.
    if origin == _origin(f"{origin[0]}://{facts.host}"):
        return
    # A proxy may hand on a Host without its port, or one of its own.
    if origin != _origin(settings.public_url.lower()):
        raise ForbiddenOrigin


def _origin(text: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a lower-case origin; None when it is not one."""
    scheme, _, authority = text.partition("://")
    match = AUTHORITY.fullmatch(authority)
    if match is None or scheme not in _DEFAULT_PORTS:
        return None
    port = match["port"]
    return scheme, match["host"], int(port) if port else _DEFAULT_PORTS[scheme]
