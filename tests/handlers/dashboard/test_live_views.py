"""What many watch at once is rendered once, and only while somebody does."""

import threading
from contextlib import ExitStack

import pytest

from handlers.dashboard.live_views import (
    MOST_OF_USER,
    MOST_WATCHERS,
    LiveViews,
    TooManyWatchers,
)
from tests.serving import until

pytestmark = pytest.mark.gen_test(timeout=30)

SOON = 0.01


class Taken:
    """A view's source, which counts; `text` is what it shows."""

    def __init__(self, text=b"one"):
        self.text, self.taken, self.threads = text, 0, set()

    def __call__(self):
        self.taken += 1
        return self._render

    def _render(self):
        self.threads.add(threading.current_thread())
        if self.text is None:
            raise ArithmeticError
        return self.text


async def test_it_is_rendered_once_for_all_and_not_on_the_loop(io_loop):
    views, taken = LiveViews(), Taken()
    with ExitStack() as watching:
        watched = [watching.enter_context(views.watch(n, "v", taken)) for n in range(3)]
        assert [await one.newer(b"", 5) for one in watched] == [b"one"] * 3
        assert taken.taken == 1
        assert threading.current_thread() not in taken.threads
        # What has not changed is given again, and is no event.
        assert await watched[0].newer(b"one", SOON) == b"one"


async def test_it_is_rendered_as_long_as_somebody_watches(io_loop):
    views, taken = LiveViews(), Taken()
    with views.watch(1, "v", taken) as view:
        with views.watch(2, "v", Taken(b"never asked")) as same:
            assert same is view
        assert len(views) == 1
        assert await view.newer(b"", 5) == b"one"
    assert len(views) == 0
    await until(view._task.done)
    with views.watch(1, "v", Taken(b"two")) as view:
        assert await view.newer(b"one", 5) == b"two"


async def test_each_user_has_so_many_and_all_together_so_many(io_loop):
    views, taken = LiveViews(), Taken()
    with ExitStack() as watching:
        for number in range(MOST_WATCHERS):
            user = number // MOST_OF_USER
            if number % MOST_OF_USER == 0 and user:
                with pytest.raises(TooManyWatchers):
                    watching.enter_context(views.watch(user - 1, "v", taken))
            watching.enter_context(views.watch(user, number % 2, taken))
        assert len(views) == 2
        with pytest.raises(TooManyWatchers):
            watching.enter_context(views.watch(1000, "v", taken))
    with views.watch(0, "v", taken):
        assert len(views) == 1


async def test_who_watches_learns_that_it_cannot_be_rendered(io_loop):
    with LiveViews().watch(1, "v", Taken(None)) as view:
        for _ in range(2):
            with pytest.raises(ArithmeticError):
                await view.newer(b"", 5)
