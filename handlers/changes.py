"""An operator's change: made in the database, and taken over by what serves."""

from collections.abc import Callable
from typing import Any, TypeVar

from gateway.app import Gateway

T = TypeVar("T")


async def make_change(gateway: Gateway, function: Callable[..., T], *args: Any) -> T:
    """What the function returns; the change holds for the next request."""
    result = await gateway.store.write(function, *args)
    await gateway.reload()
    return result
