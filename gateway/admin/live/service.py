"""An account back into service where the gateway runs, and what its judge says."""

from functools import partial

from gateway.admin.accounts import set_paused
from gateway.admin.entity import Changed
from gateway.admin.names import ACCOUNT_WORD, find_named
from gateway.app import Gateway
from gateway.polling.rulings import Ruling


async def resume_serving(
    gateway: Gateway, name: str, actor: str
) -> tuple[Changed, Ruling]:
    """Marks end, also where it was not paused; a limit is upstream's word and stays."""
    resume = partial(set_paused, paused=False)
    changed = await gateway.store.write(resume, name, actor)
    await gateway.reload()
    account = find_named(gateway.pool.accounts.values(), ACCOUNT_WORD, changed.name)
    account.health.resume()
    return changed, await gateway.judges.ask(account)
