"""The parts of the flight recorder: what is kept, what is blamed, what is on disk."""

import os
import stat
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.monitoring.recorder.block import Block, BlockCause
from gateway.monitoring.recorder.files import (
    FOLDER,
    MOST_FILES,
    create_recording,
    recordings,
    write_recording,
)
from gateway.monitoring.recorder.ring import RingBuffer
from gateway.monitoring.recorder.watchdog import (
    MOST_FRAMES,
    StackSample,
    Watchdog,
    stack_of,
)

SECONDS, SIZE = 60, 200


@given(st.lists(st.tuples(st.floats(0, 30), st.binary(max_size=250))))
def test_a_ring_keeps_the_newest_lines_within_its_bounds(added):
    ring = RingBuffer(seconds=SECONDS, size=SIZE)
    now, stamped = 0.0, []
    for pause, line in added:
        now += pause
        stamped.append((now, line))
        ring.add(now, line)
        kept = ring.lines()
        assert kept == [line for _, line in stamped][len(stamped) - len(kept) :]
        assert ring.used == sum(len(line) + 1 for line in kept) <= SIZE
        oldest = stamped[len(stamped) - len(kept) :][:1]
        assert all(now - moment <= SECONDS for moment, _ in oldest)


def test_a_ring_drops_nothing_that_has_room():
    ring = RingBuffer(seconds=SECONDS, size=10)
    for moment, line in ((0, b"abcd"), (SECONDS, b"efgh")):
        ring.add(moment, line)
    assert ring.lines() == [b"abcd", b"efgh"]
    ring.add(SECONDS, b"")
    assert ring.lines() == [b"efgh", b""]


def sight(*frames, late=0.0, state="S"):
    return StackSample(after=0.08, late=late, state=state, frames=frames)


IDLE = "asyncio/runners.py:118 Runner.run"
SLOW = (
    "json/decoder.py:1 decode",
    "gateway/admission/request_body.py:9 load",
    IDLE,
    "handlers/x.py:1",
)


@pytest.mark.parametrize(
    ("block", "cause", "where"),
    [
        (Block(0.2, 0.19, 0.0, [sight(*SLOW)]), BlockCause.BUSY, SLOW[1]),
        # On a machine that gives it a tenth of a core, still its own fault.
        (Block(2.0, 0.2, 0.0, [sight(*SLOW, state="R")]), BlockCause.BUSY, SLOW[1]),
        (Block(0.2, 0.19, 0.15, [sight(*SLOW)]), BlockCause.COLLECTION, ""),
        (Block(0.2, 0.0, 0.0, [sight(*SLOW, state="D")]), BlockCause.WAITING, SLOW[1]),
        (
            Block(0.2, 0.0, 0.0, [sight("x/y.py:1 f", IDLE)]),
            BlockCause.WAITING,
            "x/y.py:1 f",
        ),
        # It could not run, or the watchdog could not either.
        (Block(0.2, 0.0, 0.0, [sight(*SLOW, state="R")]), BlockCause.STOPPED, ""),
        (Block(9.0, 0.0, 0.0, [sight(*SLOW, late=8.0)]), BlockCause.STOPPED, ""),
        (Block(9.0, 0.0, 0.0, [sight(IDLE)]), BlockCause.STOPPED, ""),
        (Block(0.2, 0.0, 0.0, []), BlockCause.STOPPED, ""),
    ],
)
def test_a_block_is_laid_at_the_right_door(block, cause, where):
    assert (block.cause, block.where) == (cause, where)
    assert f"{block.duration * 1000:.0f} ms" in str(block)
    assert where in str(block)


def test_a_stack_is_named_without_its_values_and_bounded():
    def deep(password, left):
        if left:
            return deep(password, left - 1)
        return stack_of(threading.get_ident())

    frames = deep("hunter2", 2 * MOST_FRAMES)
    assert len(frames) == MOST_FRAMES
    assert frames[0].startswith("gateway/monitoring/recorder/watchdog.py:")
    assert frames[1].startswith("tests/gateway/monitoring/test_recorder.py:")
    assert "hunter2" not in str(frames)


def test_a_watchdog_whose_thread_has_ended_is_noticed():
    watchdog = Watchdog()
    assert watchdog.heartbeat(0.0) == []
    watchdog.stop()
    with pytest.raises(RuntimeError):
        watchdog.heartbeat(0.0)


def test_recordings_are_bounded_private_and_in_the_order_of_writing(tmp_path):
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / "00007-29990101T000000Z.jsonl").write_text("of a clock that was ahead")
    paths = [write_recording(tmp_path, [b"%d" % n]) for n in range(MOST_FILES + 3)]
    kept = recordings(tmp_path)
    assert kept == paths[-MOST_FILES:]
    assert [path.read_text() for path in kept][-1] == f"{MOST_FILES + 2}\n"
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept)
    numbers = [int(path.name[:5]) for path in kept]
    assert all(b == a + 1 for a, b in pairwise(numbers))


def test_workers_that_were_stopped_together_leave_a_recording_each(tmp_path):
    """They have seen the same files when they begin theirs."""
    made = [create_recording(tmp_path, 1) for _ in range(3)]
    for _, descriptor in made:
        os.close(descriptor)
    assert len({path for path, _ in made}) == 3
