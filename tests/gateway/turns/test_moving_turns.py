"""The end of a turn whose conversation moves leaves once the move is stored."""

import pytest

from tests.gateway.turns.relay_scripts import (
    COMPLETED,
    CREATED,
    DELTA,
    Script,
    ScriptedDelivery,
    ScriptedTurn,
    Wire,
    relay_of,
    run,
)


class PatientDelivery(ScriptedDelivery):
    """Goes on behind the turn's end, as a body does."""

    def end_within(self, seconds):
        if not self._reads:
            super().end_within(seconds)

    def deliver(self):
        super().deliver()
        super().end_within(0)


class PatientScript(Script):
    def deliver_to(self, sink):
        self.delivery = PatientDelivery(self.reads, sink)
        return self.delivery


DONE = b"data: [DONE]\n\n"


class MovingTurn(ScriptedTurn):
    """Notes what the client has when the move is stored."""

    is_moving = True

    def __init__(self):
        super().__init__()
        self.written, self.had = [], None

    async def keep_move(self):
        self.had, self.is_moving = b"".join(self.written), False


def reads_of(wire, *groups):
    return [wire.event(*group) for group in groups]


ONE_BY_ONE = [(CREATED,), (DELTA,), (DELTA,), (COMPLETED,)]
IN_COMPANY = [(CREATED,), (DELTA,), (DELTA, COMPLETED)]
AT_ONCE = [(CREATED, DELTA, DELTA, COMPLETED)]  # of a body alone


@pytest.mark.parametrize(
    ("kind", "groups"),
    [
        *(("sse", groups) for groups in (ONE_BY_ONE, IN_COMPANY, AT_ONCE)),
        *(("socket", groups) for groups in (ONE_BY_ONE, IN_COMPANY)),
    ],
)
def test_the_client_has_no_end_before_the_move_is_stored(kind, groups):
    wire = Wire(kind)

    async def scenario():
        relay = relay_of(wire, Script(*reads_of(wire, *groups)), turn)
        await relay.reach_commit_point()
        last = await relay.send_to(turn.written.append)
        return b"".join([*turn.written, last]), relay.broken, len(last)

    turn = MovingTurn()
    got, broken, rest = run(scenario())
    assert turn.had is not None
    assert wire.event(COMPLETED) not in turn.had
    assert (got, broken) == (wire.event(CREATED, DELTA, DELTA, COMPLETED), None)
    assert turn.exchange.response_bytes == len(turn.had) + rest == len(got)


@pytest.mark.parametrize("is_apart", [False, True])
def test_what_follows_the_end_of_a_body_stays_behind_it(is_apart):
    async def scenario():
        wire = Wire("sse")
        reads = [wire.event(CREATED, DELTA), wire.event(COMPLETED)]
        reads += [DONE] if is_apart else []
        reads[1] += b"" if is_apart else DONE
        relay = relay_of(wire, PatientScript(*reads), turn)
        await relay.reach_commit_point()
        last = await relay.send_to(turn.written.append)
        return b"".join([*turn.written, last])

    turn = MovingTurn()
    whole = Wire("sse").event(CREATED, DELTA, COMPLETED) + DONE
    assert run(scenario()) == whole
