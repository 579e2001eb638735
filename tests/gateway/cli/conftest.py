import pytest

from gateway.demo.accounts import DemoAccount
from tests.gateway.cli.commands import Commands


@pytest.fixture
def commands(tmp_path):
    return Commands(tmp_path)


@pytest.fixture
def auth_file(tmp_path):
    """Writes the auth.json of a new account: `auth_file("ada")`."""
    return lambda name: DemoAccount(name).write_auth_file(tmp_path / "auth")
