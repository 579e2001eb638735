"""A PostgreSQL server of the tests' own."""

from tests.gateway.conftest import driver, server

__all__ = ["driver", "server"]
