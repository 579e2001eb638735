"""Light rows in SQLite and in a real PostgreSQL: written, read in pages, removed."""

import asyncio

import pytest

from gateway.store.log.refusals import (
    REFUSALS_KEPT,
    RefusedRequest,
    find_refusal,
    refusal_page,
)
from gateway.store.log.retention import remove_log_of_key, remove_slice
from tests.gateway.store.store_rows import NOW, make_store

# A server has to start for the second.
AT_A_SERVER = pytest.param("postgresql", marks=pytest.mark.operator)


@pytest.fixture(params=["sqlite", AT_A_SERVER])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gateway.db'}"
    return request.getfixturevalue("server").url


def light(number, **more):
    return {
        "request_id": f"{number:032x}",
        "created_at": NOW + number,
        "api_key_id": 1 + number % 2,
        "client_address": "192.0.2.1",
        "network": "192.0.2.1",
        "surface": "v1",
        "door": "Responses",
        "http_status": 401,
        "error_code": "invalid\0_api_key\ud800" + "x" * 200,
        "reason": "the key is unknown",
        **more,
    }


def test_refusals_are_written_read_in_pages_and_removed(url, tmp_path):
    async def scenario():
        store = make_store(tmp_path, url=url)
        await store.start()
        try:
            await store.write(RefusedRequest.delete().execute)
            for number in range(5):
                store.refusals.note(light(number))
            await store.flush()
            page = await store.read(lambda: refusal_page(limit=3))
            assert [row["created_at"] - NOW for row in page] == [4, 3, 2]
            assert page[0]["error_code"] == "invalid_api_key" + "x" * 65
            rest = await store.read(lambda: refusal_page(before=page[-1]["id"]))
            assert [row["created_at"] - NOW for row in rest] == [1, 0]
            of_one = await store.read(lambda: refusal_page(api_key_id=2, since=NOW + 2))
            assert [row["request_id"][-1] for row in of_one] == ["3"]
            (found,) = await store.read(find_refusal, f"{4:032X}")
            assert found["requests"] == 1
            assert await store.write(remove_log_of_key, 2) == 2
            await store.write(remove_slice, NOW + REFUSALS_KEPT + 1, 30)
            left = await store.read(refusal_page)
            assert [row["created_at"] - NOW for row in left] == [4, 2]
        finally:
            await store.stop()

    asyncio.run(scenario())
