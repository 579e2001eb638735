"""PostgreSQL databases of other encodings than UTF-8."""

import pytest

from gateway.store.database import migrate, open_database
from gateway.store.models import SettingRow

pytestmark = pytest.mark.operator


def test_a_database_without_an_encoding_serves_too(server):
    """What initdb makes where no locale is set; texts came back as bytes."""
    database = open_database(server.url)
    with database.connection_context():
        database.execute_sql(
            "CREATE DATABASE plain ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' "
            "TEMPLATE template0"
        )
    plain = open_database(server.url.replace("/postgres?", "/plain?"))
    for _ in range(2):  # the second time the steps are known
        with plain.connection_context():
            migrate(plain)
    with plain.connection_context(), SettingRow.bind_ctx(plain):
        SettingRow.create(name="n", value="Zoë")
        assert SettingRow.get_by_id("n").value == "Zoë"
    plain.close_all()
    database.close_all()
