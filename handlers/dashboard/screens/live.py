"""What runs at this moment: a page that follows it, and the end of one turn."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from gateway.admin.errors import Unacceptable
from gateway.admin.live.sockets import open_sockets
from gateway.admin.live.turns import (
    ORDERS,
    cut_turn,
    find_turn,
    running_turns,
    show_turn,
)
from gateway.app import Gateway
from gateway.sign_in.users import Role
from handlers.dashboard.base import PageHandler
from handlers.dashboard.event_stream import EventStream, event
from handlers.dashboard.forms import SentForm
from handlers.dashboard.rendering import render

MOST_LIVE_ROWS = 50
LIVE = "/dashboard/live"


class LiveScreen(PageHandler):
    """/dashboard/live: the turns that run, and the clients' sockets.

    `sort` is one of `ORDERS`; with `still` it stays as it was when it was loaded.
    """

    least_role: ClassVar = {"get": Role.VIEWER}

    async def get(self) -> None:
        order = _order(self)
        seen = _look(self.gateway, order)
        is_still = bool(self.get_query_argument("still", ""))
        told = {"is_operator": _is_operator(self), "is_still": is_still}
        await self.show_apart("live.html", lambda: seen, **told)


class LiveEvents(EventStream):
    """/dashboard/live/events: what changes of that page, once a second."""

    async def get(self) -> None:
        order, is_operator = _order(self), _is_operator(self)
        await self.follow(
            (order, is_operator), partial(_take, self.gateway, order, is_operator)
        )


class CutScreen(PageHandler):
    """/dashboard/live/ID/cut: stop a turn, once it has been confirmed."""

    least_role: ClassVar = {"get": Role.OPERATOR, "post": Role.OPERATOR}

    async def get(self, name: str) -> None:
        turn = show_turn(self.gateway, find_turn(self.gateway, name))
        self.show_plain("cut_turn.html", turn=turn)

    async def submit(self, form: SentForm, *path: str) -> None:
        await cut_turn(self.gateway, path[0], self.actor)
        self.go(LIVE)


def _order(page: PageHandler) -> str:
    order = page.get_query_argument("sort", "age")
    if order not in ORDERS:
        raise Unacceptable(f"It is one of {', '.join(ORDERS)}", param="sort")
    return order


def _is_operator(page: PageHandler) -> bool:
    """Who may stop turns, and see where clients are."""
    return page.user is not None and page.user.role.includes(Role.OPERATOR)


def _look(gateway: Gateway, order: str) -> dict[str, Any]:
    """What memory has at this moment, as far as a page shows it."""
    return {
        "order": order,
        "turns": running_turns(gateway, order, MOST_LIVE_ROWS),
        "turn_count": len(gateway.turns.running),
        "sockets": open_sockets(gateway, MOST_LIVE_ROWS),
        "socket_count": len(gateway.channels),
        "waiting_for_account": gateway.pool.waiting,
        "waiting_for_key": gateway.limiter.waiting + gateway.arrivals.waiting,
    }


def _take(gateway: Gateway, order: str, is_operator: bool) -> Callable[[], bytes]:
    seen = {**_look(gateway, order), "is_operator": is_operator}
    return lambda: event("now", render("live_now.html", seen))
