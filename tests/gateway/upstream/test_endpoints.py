"""Where a request goes: below the configured base, whatever the account's other fields
hold, and with nothing that a client could have said."""

import inspect
import posixpath
from urllib.parse import urlsplit

import pytest

from gateway.accounts.account import Account, AccountKind
from gateway.upstream.endpoints import Endpoint, url_of

CHATGPT = "https://chatgpt.example/backend-api"
OWN = "https://own.example:8443/some/v1"
HOSTILE = "/../..//evil.example/?#@\r\n"


@pytest.mark.parametrize("route", Endpoint)
@pytest.mark.parametrize(
    ("kind", "base"), [(AccountKind.CHATGPT, CHATGPT), (AccountKind.API_KEY, OWN)]
)
def test_every_route_leads_below_the_configured_base(route, kind, base):
    account = Account(1, HOSTILE, kind, OWN, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    url = url_of(route, account, CHATGPT)
    parts = urlsplit(url)
    assert url.startswith(base + "/")
    assert parts[:2] == urlsplit(base)[:2]
    assert parts.query == parts.fragment == ""
    assert posixpath.normpath(parts.path) == parts.path


def test_no_text_of_a_client_comes_in():
    assert inspect.signature(url_of).parameters.keys() == {
        "route",
        "account",
        "upstream_base_url",
    }
