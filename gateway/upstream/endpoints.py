"""Endpoint URLs and account headers of upstream requests, never the client's text."""

from collections.abc import Mapping
from enum import StrEnum

from gateway.accounts.account import Account
from gateway.errors import NoAccounts

# A client's own is dropped (`gateway.protocol.headers`): it speaks for another login.
RESIDENCY = "x-openai-internal-codex-residency"


class Endpoint(StrEnum):
    """The upstream paths there are; never the client's text."""

    RESPONSES = "responses"
    COMPACT = "compact"
    IMAGES_GENERATIONS = "images_generations"
    IMAGES_EDITS = "images_edits"
    ALPHA_SEARCH = "alpha_search"
    TRANSCRIBE = "transcribe"
    EMBEDDINGS = "embeddings"
    INPUT_TOKENS = "input_tokens"

    @property
    def needs_api_key(self) -> bool:
        """Whether only accounts with an API key have it."""
        return self in (Endpoint.EMBEDDINGS, Endpoint.INPUT_TOKENS)


# (below UPSTREAM_BASE_URL, below an API-key account's own base)
_PATHS: Mapping[Endpoint, tuple[str, str]] = {
    Endpoint.RESPONSES: ("/codex/responses", "/responses"),
    # ChatGPT accounts compact in a turn since their own path ended, August 2026.
    Endpoint.COMPACT: ("/codex/responses", "/responses/compact"),
    Endpoint.IMAGES_GENERATIONS: ("/codex/images/generations", "/images/generations"),
    Endpoint.IMAGES_EDITS: ("/codex/images/edits", "/images/edits"),
    Endpoint.ALPHA_SEARCH: ("/codex/alpha/search", "/alpha/search"),
    Endpoint.TRANSCRIBE: ("/transcribe", "/audio/transcriptions"),
    Endpoint.EMBEDDINGS: ("/codex/embeddings", "/embeddings"),
    Endpoint.INPUT_TOKENS: ("/codex/responses/input_tokens", "/responses/input_tokens"),
}


def url_of(route: Endpoint, account: Account, upstream_base_url: str) -> str:
    """The URL of a route at an account."""
    subscription, own = _PATHS[route]
    if account.is_chatgpt:
        return upstream_base_url + subscription
    return (account.base_url or "").rstrip("/") + own


def account_headers(account: Account) -> dict[str, str]:
    """What identifies the account. Raises NoAccounts without credentials."""
    bearer = account.credentials.bearer
    if bearer is None:
        raise NoAccounts(f"The account '{account.name}' has no credentials")
    headers = {"authorization": f"Bearer {bearer.reveal()}"}
    if account.chatgpt_account_id is not None and account.is_chatgpt:
        headers["chatgpt-account-id"] = account.chatgpt_account_id
    if account.residency:
        headers[RESIDENCY] = account.residency
    return headers
