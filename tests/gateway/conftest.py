"""A store, a key ring; and a real PostgreSQL server for all tests of one process."""

import shutil

import pytest

from gateway.keys.key import KeyRing
from tests.gateway.postgres_server import HAS_DRIVER, Server, need, server_directory
from tests.gateway.store.store_rows import make_store


@pytest.fixture
def store(tmp_path, io_loop):
    made = make_store(tmp_path)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def ring():
    return KeyRing()


@pytest.fixture(scope="session")
def driver():
    need(HAS_DRIVER, "psycopg (pip install psycopg[binary])")


@pytest.fixture(scope="session")
def server(driver):
    programs = server_directory()
    need(programs, "a PostgreSQL server (apt install postgresql)")
    made = Server(programs)
    made.start()
    yield made
    made.stop()
    shutil.rmtree(made.home)
