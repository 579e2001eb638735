"""What a token endpoint answers to a refresh."""

from gateway.accounts.account import Credentials
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import PERMANENT_CODES
from gateway.protocol.lenient_json import text
from gateway.protocol.local_failures import token_refresh_failed
from gateway.secret import Secret
from gateway.upstream.api import ApiResponse
from gateway.upstream.logins.auth_json import tokens_to_credentials


def rotated_credentials(answer: ApiResponse, held: Credentials) -> Credentials:
    """Tokens of a token endpoint's answer; what it leaves out stays as it was.

    Raises ValueError when there are none.
    """
    tokens = answer.json()
    if answer.status != 200:
        raise ValueError("refused")
    return tokens_to_credentials(
        text(tokens.get("access_token")),
        text(tokens.get("refresh_token")) or _reveal(held.refresh_token),
        text(tokens.get("id_token")) or _reveal(held.id_token),
    )


def refresh_failure(answer: ApiResponse) -> Failure:
    """Permanent by its code only; upstream's text is not shown, it may quote tokens."""
    document = answer.json()
    error = document.get("error")
    told = error if isinstance(error, dict) else document
    words = [told.get("code"), told.get("type"), error]
    for word in words:
        if isinstance(word, str) and word in PERMANENT_CODES:
            return token_refresh_failed("The login has ended", word, status=401)
    return token_refresh_failed(f"Refused with status {answer.status}")


def _reveal(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()
