"""/member/…: what the gateways that serve from one database ask each other."""

import time
from typing import ClassVar

from prometheus_client import CONTENT_TYPE_LATEST

from gateway.admin.errors import MemberCallRefused, Unacceptable
from gateway.admin.live.elsewhere import MEMBER_PATH, of_this
from gateway.admin.live.turns import (
    ORDERS,
    cut_turn,
    find_turn,
    running_turns,
    show_turn,
)
from gateway.admission.client_address import AccessPolicy
from gateway.cluster.signed_call import MemberCall
from handlers.base import RouteEntry, RouteOptions
from handlers.bodies import BodilessHandler


class MemberHandler(BodilessHandler):
    """Answers a call that another member has signed for this one."""

    has_own_door: ClassVar[bool] = True

    def authenticate(self) -> None:
        request, gateway = self.request, self.gateway
        headers = self.facts.headers
        call = MemberCall.read(request.method or "", request.uri or "", headers)
        token, us = gateway.admin.value, gateway.membership.id
        if call is None or not call.is_genuine(headers, token, us, time.time()):
            raise MemberCallRefused
        self.is_unlogged = True


class MemberTurnsHandler(MemberHandler):
    def get(self) -> None:
        order = self.get_query_argument("order", "age")
        most = self.get_query_argument("most", "")
        if order not in ORDERS or not (most.isdecimal() or most == ""):
            raise Unacceptable("There is no such order, or number")
        turns = running_turns(self.gateway, order, int(most) if most else None)
        self.write_json({"turns": turns, "count": len(self.gateway.turns.running)})


class MemberTurnHandler(MemberHandler):
    def get(self, name: str) -> None:
        self.write_json(show_turn(self.gateway, find_turn(self.gateway, name)))


class MemberCutHandler(MemberHandler):
    async def post(self, name: str) -> None:
        actor = self.get_query_argument("actor")
        self.write_json(await cut_turn(self.gateway, name, actor))


class MemberStatusHandler(MemberHandler):
    def get(self) -> None:
        self.write_json(of_this(self.gateway))


class MemberMetricsHandler(MemberHandler):
    def get(self) -> None:
        self.set_header("content-type", CONTENT_TYPE_LATEST)
        self.finish(self.gateway.metrics.text())


_SIGNED = RouteOptions(access=AccessPolicy.SIDE)
_TURN = MEMBER_PATH + r"/turns/([^/]+)"
MEMBER_ROUTES: list[RouteEntry] = [
    (MEMBER_PATH + "/turns", MemberTurnsHandler, _SIGNED),
    (_TURN, MemberTurnHandler, _SIGNED),
    (_TURN + "/cut", MemberCutHandler, _SIGNED),
    (MEMBER_PATH + "/status", MemberStatusHandler, _SIGNED),
    (MEMBER_PATH + "/metrics", MemberMetricsHandler, _SIGNED),
]
