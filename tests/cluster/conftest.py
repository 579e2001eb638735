"""Companies of gateways, at a PostgreSQL of the tests' own."""

import pytest

from tests.cluster.company import Company
from tests.gateway.conftest import driver, server
from tests.operator.conftest import database_url

__all__ = ["database_url", "driver", "server"]


@pytest.fixture
def company(io_loop, tmp_path, upstream, database_url):
    """Not started: `await company.start(3)`."""
    made = Company(tmp_path, upstream, DATABASE_URL=database_url)
    yield made
    io_loop.run_sync(made.stop, timeout=60)
