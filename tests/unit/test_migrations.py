from playhouse.schema_diff import diff_models

from gateway.store import models
from gateway.store.database import migrate, open_database


def test_migrations_give_the_schema_the_models_describe(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/data/gateway.db")
    with database.bind_ctx(models.TABLES), database.connection_context():
        assert migrate(database) == ["0001_initial"]
        assert migrate(database) == []
        difference = diff_models(database, list(models.TABLES))
    assert not difference, difference
