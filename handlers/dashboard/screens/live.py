"""What runs at this moment: a page that follows it, and the end of one turn."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from gateway.admin.errors import Unacceptable
from gateway.admin.live.elsewhere import (
    cut_turn_anywhere,
    find_turn_anywhere,
    turns_path,
    with_turns_of,
)
from gateway.admin.live.sockets import open_sockets
from gateway.admin.live.turns import ORDERS
from gateway.app import Gateway
from gateway.cluster.member_calls import MemberAnswer
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
        path = turns_path(order, MOST_LIVE_ROWS)
        answers = await self.gateway.member_calls.ask("GET", path)
        seen = _look(self.gateway, order, answers)
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
        turn = await find_turn_anywhere(self.gateway, name)
        self.show_plain("cut_turn.html", turn=turn)

    async def submit(self, form: SentForm, *path: str) -> None:
        await cut_turn_anywhere(self.gateway, path[0], self.actor)
        self.go(LIVE)


def _order(page: PageHandler) -> str:
    order = page.get_query_argument("sort", "age")
    if order not in ORDERS:
        raise Unacceptable(f"It is one of {', '.join(ORDERS)}", param="sort")
    return order


def _is_operator(page: PageHandler) -> bool:
    """Who may stop turns, and see where clients are."""
    return page.user is not None and page.user.role.includes(Role.OPERATOR)


def _look(
    gateway: Gateway, order: str, answers: Iterable[MemberAnswer]
) -> dict[str, Any]:
    """What memory has at this moment, and the others', as far as a page shows it."""
    found = with_turns_of(gateway, answers, order, MOST_LIVE_ROWS)
    return {
        "order": order,
        "turns": found.turns,
        "turn_count": found.running,
        "unreached": found.unreached,
        "sockets": open_sockets(gateway, MOST_LIVE_ROWS),
        "socket_count": len(gateway.channels),
        "waiting_for_account": gateway.pool.waiting,
        "waiting_for_key": gateway.limiter.waiting + gateway.arrivals.waiting,
    }


def _take(gateway: Gateway, order: str, is_operator: bool) -> Callable[[], bytes]:
    answers = gateway.member_calls.watch(turns_path(order, MOST_LIVE_ROWS))
    seen = {**_look(gateway, order, answers), "is_operator": is_operator}
    return lambda: event("now", render("live_now.html", seen))
