"""What runs at all members: this process, and what the others answer."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from gateway.admin.errors import NotThere
from gateway.admin.live.members import list_members
from gateway.admin.live.turns import TURN, cut_turn, find_turn, running_turns, show_turn
from gateway.app import Gateway
from gateway.cluster.member_calls import MemberAnswer
from gateway.cluster.metric_sums import sum_metrics

_Shown = dict[str, Any]
# What each member has under this; the rest of the path is below.
MEMBER_PATH = "/member"
_FIELDS = {field.name for field in TURN.fields} - {"member"}


class TurnsOfAll(NamedTuple):
    """Of all members, or as many as were asked for."""

    turns: list[_Shown]
    running: int  # in all
    unreached: list[int]


def turns_path(order: str = "age", most: int | None = None) -> str:
    wanted = {"order": order} | ({} if most is None else {"most": most})
    return f"{MEMBER_PATH}/turns?{urlencode(wanted)}"


def with_turns_of(
    gateway: Gateway,
    answers: Iterable[MemberAnswer],
    order: str = "age",
    most: int | None = None,
) -> TurnsOfAll:
    """This process's turns among those of the answers, in their order."""
    rows: list[_Shown] = running_turns(gateway, order, most)
    count, unreached = len(gateway.turns.running), []
    for answer in answers:
        told = answer.json()
        if told is None:
            unreached.append(answer.member_id)
            continue
        # Of another release, fields may be missing.
        theirs = [one for one in told.get("turns", ()) if one.keys() >= _FIELDS]
        rows += ({**one, "member": answer.member_id} for one in theirs)
        count += told.get("count", 0)
    rows.sort(key=lambda row: -float(row[order]))
    return TurnsOfAll(rows[:most], count, unreached)


async def turns_of_all(
    gateway: Gateway, order: str = "age", most: int | None = None
) -> TurnsOfAll:
    answers = await gateway.member_calls.ask("GET", turns_path(order, most))
    return with_turns_of(gateway, answers, order, most)


async def find_turn_anywhere(gateway: Gateway, name: str) -> _Shown:
    """A running turn of any member. Raises NotThere, or Unacceptable for several."""
    try:
        return show_turn(gateway, find_turn(gateway, name))
    except NotThere:
        path = f"{MEMBER_PATH}/turns/{quote(name, safe='')}"
        return _first(await gateway.member_calls.ask("GET", path), name)


async def cut_turn_anywhere(gateway: Gateway, name: str, actor: str) -> _Shown:
    """Stop a turn of any member; how it was. Raises as `find_turn_anywhere`."""
    try:
        return await cut_turn(gateway, name, actor)
    except NotThere:
        path = f"{MEMBER_PATH}/turns/{quote(name, safe='')}/cut"
        path += f"?{urlencode({'actor': actor})}"
        return _first(await gateway.member_calls.ask("POST", path), name)


async def members_of_all(gateway: Gateway) -> list[_Shown]:
    """All members, with what each says of itself; null where one was not reached."""
    rows = await gateway.store.read(list_members)
    answers = await gateway.member_calls.ask("GET", f"{MEMBER_PATH}/status")
    told = {one.member_id: one.json() for one in answers}
    told[gateway.membership.id] = of_this(gateway)
    return [row | (told.get(row["id"]) or dict.fromkeys(OF_EACH)) for row in rows]


OF_EACH = ("turns", "sockets", "waiting")


def of_this(gateway: Gateway) -> _Shown:
    """What a member says of itself."""
    of_keys = gateway.limiter.waiting + gateway.arrivals.waiting
    return {
        "turns": len(gateway.turns.running),
        "sockets": len(gateway.channels),
        "waiting": gateway.pool.waiting + of_keys,
    }


async def metrics_of_all(gateway: Gateway) -> str:
    """The sums of all members' series, and how many of them there are."""
    answers = await gateway.member_calls.ask("GET", f"{MEMBER_PATH}/metrics")
    texts = [one.text for one in answers if one.text is not None]
    own = gateway.metrics.text().decode()
    reached = (
        "# HELP codex_gateway_members Members whose series are in the sums, or not.\n"
        "# TYPE codex_gateway_members gauge\n"
        f'codex_gateway_members{{reached="yes"}} {1 + len(texts)}\n'
        f'codex_gateway_members{{reached="no"}} {len(answers) - len(texts)}\n'
    )
    return sum_metrics([own, *texts]) + reached


def _first(answers: Iterable[MemberAnswer], name: str) -> _Shown:
    for answer in answers:
        told = answer.json()
        if told is not None:
            return told | {"member": answer.member_id}
    raise NotThere("running turn", name)
