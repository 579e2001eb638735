"""Browser apps of origins that the owner trusts: /v1, always with a key.

CORS as in the Fetch standard (section 3.2): without credentials, so that no cookie
and no login of the browser's ever counts.
"""

from collections.abc import Mapping

from gateway.admission.client_address import RequestFacts
from gateway.settings import Settings

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
