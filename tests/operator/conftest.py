"""A real PostgreSQL, and gateways in processes of their own."""

import itertools

import pytest

from gateway.store.database import open_database
from tests.e2e.gateway_process import GatewayProcess
from tests.gateway.conftest import driver, server

__all__ = ["driver", "server"]

_names = itertools.count()


@pytest.fixture
def database_url(server):
    """A PostgreSQL database of the test's own, empty."""
    name = f"operator{next(_names)}"
    database = open_database(server.url)
    with database.connection_context():
        database.execute_sql(f"CREATE DATABASE {name}")
    database.close_all()
    return server.url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def make_gateway(io_loop, upstream, tmp_path):
    """`make_gateway("name", DATABASE_URL=…)`: not started; ended with the test."""
    made = []

    def make(name, **settings):
        folder = tmp_path / name
        folder.mkdir()
        made.append(GatewayProcess(folder, upstream.url, **settings))
        return made[-1]

    yield make
    for gateway in made:
        io_loop.run_sync(gateway.stop)
        print(gateway.log())
