"""A database of the newest release, the process's own while a test runs."""

import pytest

from gateway.store import models
from gateway.store.database import migrate, open_database


@pytest.fixture
def database(tmp_path):
    opened = open_database(f"sqlite:///{tmp_path}/gateway.db")
    models.database.initialize(opened)
    with opened.connection_context():
        migrate(opened)
        yield opened
    models.database.initialize(None)
