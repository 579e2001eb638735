"""Garbage that has grown old goes in a moment without turns."""

import asyncio
import gc
import weakref

import pytest

from gateway.process.garbage import collect_when_idle
from tests.serving import until


class Node:
    """Holds itself."""

    def __init__(self):
        self.own = self


@pytest.mark.gen_test
async def test_old_garbage_goes_while_no_turn_is_running():
    looks, is_idle = [], asyncio.Event()

    def look():
        looks.append(is_idle.is_set())
        return is_idle.is_set()

    node = Node()
    held = weakref.ref(node)
    for _ in range(10):  # it is of the oldest generation then
        gc.collect(1)
    del node
    collecting = asyncio.create_task(collect_when_idle(look, 0.001))
    await until(lambda: len(looks) > 3)
    assert held() is not None
    is_idle.set()
    await until(lambda: held() is None)
    collecting.cancel()
