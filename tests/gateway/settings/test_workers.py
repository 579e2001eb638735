import os

import pytest
from environs import EnvValidationError

from gateway.settings import MOST_WORKERS, Settings

POSTGRESQL = "postgresql://gateway@db.example/gateway"


@pytest.fixture
def read(monkeypatch):
    def from_env(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"GATEWAY_{name}", value)
        return Settings.from_env(dotenv=os.devnull)

    return from_env


def test_one_process_without_a_parent_unless_an_owner_says_more(read):
    assert read().workers == 0
    assert read(WORKERS="1").workers == 1
    assert read(WORKERS="4", DATABASE_URL=POSTGRESQL).workers == 4


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"WORKERS": "2"}, "2 workers need PostgreSQL"),
        ({"WORKERS": "2", "DATABASE_URL": "sqlite:////a/b.db"}, "need PostgreSQL"),
        ({"WORKERS": str(MOST_WORKERS + 1), "DATABASE_URL": POSTGRESQL}, "64"),
        ({"WORKERS": "-1"}, "0"),
        ({"WORKERS": "1", "PORT": "65535"}, "behind 65535 (GATEWAY_PORT)"),
    ],
)
def test_several_need_postgresql(read, told, why):
    with pytest.raises(EnvValidationError) as caught:
        read(**told)
    (flaw,) = caught.value.error_messages["GATEWAY_WORKERS"]
    assert why in flaw
