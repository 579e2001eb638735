"""What was used lately stays, within its bound, and what goes is told."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.accounts.bounded_cache import BoundedCache, SharedCache, hash_key

steps = st.lists(
    st.tuples(st.sampled_from(["put", "put", "get", "drop"]), st.integers(0, 30)),
    max_size=300,
)


@given(steps, st.integers(2, 20))
@example([*(("put", name) for name in (0, 1, 2, 4, 5, 0, 2, 3)), ("get", 1)], 8)
@example([*(("put", name) for name in (0, 1, 2)), ("drop", 1), ("drop", 2)], 2)
def test_the_half_used_last_is_always_there(done, most):
    kept, latest, dropped = {}, [], set()
    recent = BoundedCache(most, lambda keys: [kept.pop(key) for key in keys])
    for number, (what, name) in enumerate(done):
        key = hash_key(str(name))
        if what == "get":
            assert recent.get(key) == kept.get(key)
        elif what == "put":
            kept[key] = number
            recent.put(key, number)
        else:
            recent.drop(key)
            kept.pop(key, None)
            dropped.add(key)  # it makes room, and brings nothing back
        if what != "drop":
            dropped -= {key} & kept.keys()
            latest = [one for one in latest if one != key]
            latest += [key] * (key in kept)
        assert len(recent) == len(kept) <= most
        assert kept.keys() >= set(latest[-(most // 2) :]) - dropped


def test_what_is_used_outlives_what_is_not():
    recent = BoundedCache(100)
    for number in range(1_000):
        recent.put(number, number)
        assert recent.get(0) == 0
    assert recent.get(500) is None


@pytest.mark.parametrize("name", ["", "0:session:" + "f" * 32, "x" * 100_000, "\ud800"])
def test_a_key_is_small_whatever_it_stands_for(name):
    assert 0 <= hash_key(name) < 2**60
    assert hash_key(name) == hash_key(name)


def test_who_holds_most_forgets_first():
    forgotten = []
    cache = SharedCache(10, forgotten.extend)
    for number in range(4):
        cache.put(f"quiet:{number}", number)
    for number in range(1_000):
        cache.put(f"loud:{number}", number)
    assert len(cache) == 10
    assert [cache.get(f"quiet:{number}") for number in range(4)] == [0, 1, 2, 3]
    assert [cache.get(f"loud:{number}") for number in (993, 994, 999)] == [
        None,
        994,
        999,
    ]
    assert len(forgotten) == 994
    cache.drop("loud:999")
    assert (len(cache), cache.get("loud:999")) == (9, None)


def test_of_a_share_the_longest_unused_goes():
    cache = SharedCache(2, lambda keys: None)
    cache.put("a:1", 1)
    cache.put("a:2", 2)
    assert cache.get("a:1") == 1
    cache.put("a:3", 3)
    assert [cache.get(f"a:{number}") for number in (1, 2, 3)] == [1, None, 3]
