"""Where a request goes and as whom: constants of ours, never the client's text."""

from collections.abc import Mapping

from gateway.accounts.account import Account
from gateway.errors import NoAccounts
from gateway.turns.exchange import Route

# (below UPSTREAM_BASE_URL, below an API-key account's own base)
_PATHS: Mapping[Route, tuple[str, str]] = {
    Route.RESPONSES: ("/codex/responses", "/responses"),
    Route.COMPACT: ("/codex/responses/compact", "/responses/compact"),
    Route.IMAGES_GENERATIONS: ("/codex/images/generations", "/images/generations"),
    Route.IMAGES_EDITS: ("/codex/images/edits", "/images/edits"),
    Route.ALPHA_SEARCH: ("/codex/alpha/search", "/alpha/search"),
    Route.TRANSCRIBE: ("/transcribe", "/audio/transcriptions"),
}


def url_of(route: Route, account: Account, upstream_base_url: str) -> str:
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
    return headers
