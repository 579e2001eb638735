"""What an answer to the gateway's own call says about the account it was made as."""

from enum import StrEnum

from gateway.accounts.account import Account
from gateway.accounts.pool import Pool
from gateway.protocol.failure_kind import (
    CODES,
    KINDS,
    Blame,
    FailureKind,
    kind_of,
)
from gateway.protocol.failures import read_failure
from gateway.upstream.api import ApiResponse


class Ruling(StrEnum):
    NONE = "none"  # it decides nothing
    WELL = "well"
    LOGIN = "login"  # the token is refused
    REFUSED = "refused"  # for another reason


def give_ruling(
    pool: Pool, account: Account, answer: ApiResponse, by: str, *, is_well: bool
) -> Ruling:
    """Tell the pool what the answer says; `is_well`: it is what was asked for."""
    if is_well:
        pool.observer.acquit(account)
        return Ruling.WELL
    if answer.status not in (401, 402, 403):
        return Ruling.NONE
    failure = read_failure(answer.status, answer.headers, answer.body, pool.now())
    kind = kind_of(failure)
    is_page = failure.body is None
    is_known = failure.code in CODES or failure.type in CODES
    if is_page and kind is not FailureKind.EDGE_REFUSED:
        return Ruling.NONE
    if answer.status == 403 and not is_page and not is_known:
        return Ruling.NONE  # of this endpoint, as some plans are
    pool.observer.rule(account, failure, by)
    is_login = KINDS[kind].blames is Blame.LOGIN
    return Ruling.LOGIN if is_login else Ruling.REFUSED
