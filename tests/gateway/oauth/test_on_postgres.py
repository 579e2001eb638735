"""The same on PostgreSQL, where members of a cluster change the rows at once."""

import asyncio
import threading
import time

from gateway.admin.users.changes import disable_user
from gateway.keys.key import KeyRing
from gateway.oauth import codes
from gateway.oauth.authorization import read_request
from gateway.oauth.oauth import OAuth
from gateway.oauth.tokens import refresh_device
from gateway.store import models
from gateway.store.database import transaction
from tests.devices import LAPTOP, make_person
from tests.gateway.oauth.conftest import CALLBACK, VERIFIER, link, told
from tests.gateway.store.test_postgres import running


def test_two_members_that_refresh_at_once_give_the_same_token(server, tmp_path):
    async def scenario():
        async with running(server, tmp_path) as store:
            user_id, _ = await store.write(make_person, "ada")
            oauth = OAuth(store, store.secrets, KeyRing())
            handle = await oauth.open_request(read_request(link()), LAPTOP, user_id)
            code = told(await oauth.approve(handle, user_id, "laptop"))["code"]
            issued = await oauth.exchange_code(code, "codex", CALLBACK, VERIFIER)
            first = await oauth.refresh(issued.refresh.reveal(), "codex", "192.0.2.7")

            def refresh():
                token, now = first.refresh.reveal(), time.time()
                with transaction(models.database.obj):
                    return refresh_device(token, "192.0.2.7", store.secrets, now)

            both = await asyncio.gather(*(store.read(refresh) for _ in range(4)))
            assert len({one.refresh.reveal() for one in both}) == 1
            assert len({one.access.reveal() for one in both}) == 4
            await store.write(lambda: disable_user(user_id, "test", disabled=True))
            await oauth.load()
            assert oauth.device(issued.device_id).is_over(time.time())

    asyncio.run(scenario())


def test_a_device_that_begins_while_its_person_is_disabled_has_ended(server, tmp_path):
    async def scenario():
        async with running(server, tmp_path) as store:
            user_id, _ = await store.write(make_person, "ada")
            oauth = OAuth(store, store.secrets, KeyRing())
            handle = await oauth.open_request(read_request(link()), LAPTOP, user_id)
            code = told(await oauth.approve(handle, user_id, "laptop"))["code"]
            has_begun, is_awaited = threading.Event(), threading.Event()

            def exchange():
                with transaction(models.database.obj):
                    made = codes.exchange(code, CALLBACK, VERIFIER, time.time())
                    has_begun.set()
                    is_awaited.wait(10)
                    return made

            def disable():
                has_begun.wait(10)
                with transaction(models.database.obj):
                    disable_user(user_id, "test", disabled=True)

            def wait_for_the_lock():
                has_begun.wait(10)
                waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                deadline = time.monotonic() + 10
                while time.monotonic() < deadline:
                    if models.database.execute_sql(waits).fetchone()[0]:
                        break
                is_awaited.set()

            work = (exchange, disable, wait_for_the_lock)
            made, *_ = await asyncio.gather(*map(store.read, work))
            await oauth.load()
            assert oauth.device(made.device_id).is_over(time.time())

    asyncio.run(scenario())
