"""What has no route: a 404 that says what is missing, or where the API is."""

import re

from gateway.admission.client_address import RequestFacts, is_https
from gateway.errors import NotFound
from gateway.settings import Settings
from handlers.bodies import BodilessHandler

_STORE = "is not available: nothing is stored here"
_MISSING = "is not available here"

# Below a base URL: what OpenAI has and this gateway has not. The first match counts.
_ABSENT = (
    (r"responses/[^/]+(?:/(?:cancel|input_items))?", f"a stored response {_STORE}"),
    (r"chat/completions/[^/]+(?:/messages)?", f"a stored completion {_STORE}"),
    (r"conversations(?:/.*)?", f"a conversation {_STORE}; send its items as input"),
    (r"(?:files|uploads)(?:/.*)?", f"a file {_STORE}; send its data within the input"),
    (r"vector_stores(?:/.*)?", f"a vector store {_STORE}"),
    (r"(?:assistants|threads)(?:/.*)?", f"the Assistants API {_MISSING}"),
    (r"(?:batches|fine_tuning|evals)(?:/.*)?", f"background work {_MISSING}"),
    (r"completions", "legacy completions are not available; use chat/completions"),
    (r"(moderations|realtime|videos)(?:/.*)?", rf"\1 {_MISSING}"),
    (r"(audio/speech|audio/translations|images/variations)", rf"\1 {_MISSING}"),
)
_BELOW_BASE = re.compile(r"/(?:v1|backend-api/codex(?:/v1)?)/(.*)")
# Not an API of clients: a wrong base URL is not what brings anybody there.
_ELSEWHERE = re.compile(r"/(?:admin|health|metrics)(?:/|$)")


class NotFoundHandler(BodilessHandler):
    """Whatever has no route, in the envelope of its prefix."""

    def check_head(self) -> None:
        """No method is wrong where nothing is."""
        origin = public_origin(self.facts, self.gateway.settings)
        raise NotFound(": ".join(["Not Found", *_reasons(self.request.path, origin)]))


def public_origin(facts: RequestFacts, settings: Settings) -> str:
    """The gateway's own origin, as its owner or else this client has it."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    scheme = "https" if is_https(facts, settings) else "http"
    host = facts.host or f"{settings.host}:{settings.port}"
    return f"{scheme}://{host:.100}"


def _reasons(path: str, origin: str) -> list[str]:
    """Why there is nothing at a path; empty where there is nothing to say."""
    if _ELSEWHERE.match(path):
        return []
    below = _BELOW_BASE.fullmatch(path)
    if below is not None:
        for pattern, reason in _ABSENT:
            match = re.fullmatch(pattern, below[1])
            if match is not None:
                return [match.expand(reason)]
    base = "/backend-api/codex" if "backend-api" in path else "/v1"
    return [f"the base URL is {origin}{base}"]
