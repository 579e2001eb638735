"""URLs of PostgreSQL, of one server or several, read as libpq reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.database import UnusableDatabase, open_database
from gateway.store.identity import place_of
from gateway.store.postgresql.url import read_postgresql_url

SEVERAL = "postgresql://me:se%2Fcret@db1.example:5433,DB2.example/gw"
BY_NAME = "postgresql://me@/gw?host=a,b&port=1,2&target_session_attrs=read-write"


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        (
            SEVERAL,
            {
                "user": "me",
                "password": "se/cret",
                "host": "db1.example,db2.example",
                "port": "5433,",
                "dbname": "gw",
            },
        ),
        (
            BY_NAME,
            {
                "user": "me",
                "host": "a,b",
                "port": "1,2",
                "dbname": "gw",
                "target_session_attrs": "read-write",
            },
        ),
        ("postgres://[::1]:5,[fe80::2]/x", {"host": "::1,fe80::2", "port": "5,"}),
        ("postgresql:///gw", {"dbname": "gw"}),
        # No password may have been fit for libpq's own parser, and worked.
        ("postgresql://u:p@s:s%@h/x", {"password": "p@s:s%", "host": "h"}),
        ("postgresql://u:,,@h/x", {"password": ",,"}),
    ],
)
def test_a_url_gives_libpq_s_settings(url, settings):
    assert read_postgresql_url(url).items() >= settings.items()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:se/cret@db.example/gw",
        "postgresql://me:se#cret@db.example/gw",
        "postgresql://me:secret@db.example:port/gw",
        "postgresql://me:secret@a:1:2,b/gw",
        "postgresql://me:secret@a,b:secret/gw",
    ],
)
def test_a_url_without_hosts_is_refused_and_its_password_not_told(url):
    for question in (open_database, place_of):
        with pytest.raises(UnusableDatabase) as refused:
            question(url)
        assert "cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (SEVERAL, "PostgreSQL gw at db1.example:5433, db2.example"),
        (BY_NAME, "PostgreSQL gw at a:1, b:2"),
        ("postgresql://b,a:5432/gw", "PostgreSQL gw at a, b"),
        ("postgresql:///gw?host=b,a&port=6432", "PostgreSQL gw at a:6432, b:6432"),
    ],
)
def test_several_servers_are_told_in_one_order(url, place):
    assert place_of(url) == place


def test_a_connection_s_settings_go_before_what_is_usual():
    params = open_database(f"{BY_NAME}&connect_timeout=2").connect_params
    assert (params["connect_timeout"], params["host"]) == ("2", "a,b")
    assert params["target_session_attrs"] == "read-write"
    assert params["prepare_threshold"] is None  # a pooler's sessions are anybody's


@given(st.text() | st.text(":/@?#[],%a1").map("postgresql://{}".format))
def test_any_text_is_read_or_refused(text):
    try:
        told = list(read_postgresql_url(text).values())
    except ValueError as error:
        told = [str(error)]
    assert all(isinstance(one, str) for one in told)
