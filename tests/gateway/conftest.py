"""A real PostgreSQL server, for all tests of one process that ask for it."""

import shutil

import pytest

from tests.gateway.postgres_server import HAS_DRIVER, Server, need, server_directory


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
