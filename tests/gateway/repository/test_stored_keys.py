"""Keys are read whole with each change, and made anew only where they have changed."""

from functools import partial

import pytest

from gateway.admin import keys
from gateway.repository.keys import StoredKeys, load_keys
from tests.gateway.store.store_rows import make_store

pytestmark = pytest.mark.gen_test(timeout=30)


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request, tmp_path, io_loop):
    more = {}
    if request.param == "postgresql":
        more["url"] = request.getfixturevalue("server").url
    made = make_store(tmp_path, **more)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


async def test_what_is_known_is_what_the_database_has_and_the_same_where_it_was(shared):
    stored = StoredKeys()
    rules = {"limits": ["tokens 2M/7d", "cost 5/1d model=gpt-5*"], "models": ["gpt*"]}

    async def held():
        found = await shared.read(stored.load)
        assert found == await shared.read(load_keys)
        return {key.name: key for key in found}

    async def change(function, *args):
        await shared.write(function, *args, "test")

    names = ("a", "b")
    for name in names:
        await change(keys.create_key, name, rules)
    before = await held()
    assert before.keys() >= set(names)
    changes = [
        (keys.change_key, "a", {"rpm": 5}),
        (keys.change_key, "a", {"limits": ["tokens 3M/7d"]}),
        (keys.change_key, "a", {"limits": []}),
        (partial(keys.set_disabled, disabled=True), "a"),
        (keys.remove_key, "a"),
    ]
    for one in changes:
        await change(*one)
        after = await held()
        assert after["b"] is before["b"]
        assert after.get("a") != before["a"]
        before = {"a": None} | after
    await change(keys.remove_key, "b")
    assert "b" not in await held()
