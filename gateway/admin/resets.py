"""The resets an account has banked, and using one of them."""

from contextlib import suppress
from functools import partial
from typing import Any

from gateway.accounts.account import Account
from gateway.admin.entity import Field, entity
from gateway.admin.errors import Unacceptable
from gateway.app import Gateway
from gateway.errors import UpstreamUnavailable
from gateway.repository.audit import record
from gateway.upstream import UpstreamFault

RESETS = entity(
    "Resets",
    Field("account", required=True),
    Field("available_count", int, nullable=True, description="banked"),
    Field("credits", dict, many=True, description="as upstream describes them"),
    Field("outcome", nullable=True, description="upstream's word, where one was used"),
)


async def shown_resets(gateway: Gateway, account: Account) -> dict[str, Any]:
    """Raises Unacceptable for accounts without windows, and UpstreamUnavailable."""
    _check_kind(account)
    try:
        banked = await gateway.resets.ask(account)
    except UpstreamFault as fault:
        raise UpstreamUnavailable(fault.failure) from fault
    return {"account": account.name, **banked._asdict()}


async def use_reset(gateway: Gateway, account: Account, actor: str) -> dict[str, Any]:
    """Raises what `shown_resets` raises; upstream's word is the `outcome`."""
    _check_kind(account)
    try:
        outcome = await gateway.resets.use(account)
    except UpstreamFault as fault:
        raise UpstreamUnavailable(fault.failure) from fault
    note = partial(record, outcome=outcome)
    await gateway.store.write(note, actor, "account.use_reset", account.name)
    told: dict[str, Any] = {"account": account.name, "outcome": outcome}
    with suppress(UpstreamUnavailable):  # it is used, whatever becomes of this
        told |= await shown_resets(gateway, account)
    return told


def _check_kind(account: Account) -> None:
    if not account.is_chatgpt:
        raise Unacceptable("Only ChatGPT accounts have windows to reset", param="name")
