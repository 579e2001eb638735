"""Every route authenticates unless it is listed here."""

import pytest

from gateway.admission.client_address import AccessPolicy
from handlers.admin.base import AdminHandler
from handlers.admin.routes import ADMIN_ROUTES
from handlers.api.side_calls import FIXED_ANSWERS
from handlers.api.stream import StreamHandler
from handlers.base import BaseHandler
from handlers.bodies import BodilessHandler, BodyHandler
from handlers.dashboard.base import PageHandler
from handlers.dashboard.routes import DASHBOARD_ROUTES
from handlers.dashboard.static_handler import StaticHandler
from handlers.oauth.base import OAuthHandler
from handlers.oauth.routes import OAUTH_ROUTES
from handlers.routes import ROUTES, SOCKETS

# Answered to anybody: they say nothing of anybody. Everything else needs a key, the
# admin token, or a local client.
OPEN_ROUTES = {
    r"/backend-api/codex(?:/v1)?/analytics-events/events",
    r"/backend-api/wham/accounts/check",
    r"/backend-api/wham/usage",
    r"/backend-api/wham/rate-limit-reset-credits",
    r"/backend-api/wham/rate-limit-reset-credits/consume",
    r"/backend-api/wham/accounts/send_add_credits_nudge_email",
    r"/backend-api/wham/usage/thread_usage/query",
    r"/backend-api/ps/mcp",
    r"/backend-api/ps/apps/batch",
    *(rf"/backend-api/{path}" for path, _ in FIXED_ANSWERS),
    r"/api/codex/usage",
    r"/",
    r"/health(?:/live)?",
    r"/health/ready",
}
HANDLER_BASES = (
    BaseHandler,
    BodilessHandler,
    BodyHandler,
    StreamHandler,
    AdminHandler,
    PageHandler,
    OAuthHandler,
    StaticHandler,  # for all that may see the dashboard
)
# Pages for who has not signed in yet.
OPEN_PAGES = {"SignInPage", "SignOutPage", "LinkPage", "FirstRunPage"}


@pytest.mark.parametrize("entry", [*SOCKETS, *ROUTES], ids=lambda entry: entry[0])
def test_every_route_has_a_known_base_and_asks_for_a_key_unless_listed(entry):
    path, handler, options = entry
    assert issubclass(handler, BaseHandler)
    if path in OPEN_ROUTES:
        assert options.access is AccessPolicy.SIDE
    else:
        assert options.access in (AccessPolicy.PROXY, AccessPolicy.KEY_REQUIRED)
        assert handler.authenticate is BaseHandler.authenticate


@pytest.mark.parametrize("entry", ADMIN_ROUTES, ids=lambda entry: entry[0])
def test_every_admin_route_asks_for_the_admin_token(entry):
    _, handler, _ = entry
    assert issubclass(handler, AdminHandler)
    assert handler.authenticate is AdminHandler.authenticate


@pytest.mark.parametrize("entry", DASHBOARD_ROUTES, ids=lambda entry: entry[0])
def test_every_page_asks_for_a_role_unless_listed(entry):
    _, handler, _ = entry
    if handler is StaticHandler:
        return
    assert issubclass(handler, PageHandler)
    assert handler.authenticate is PageHandler.authenticate
    methods = {one.lower() for one in handler.allowed_methods()} - {"head"}
    if handler.__name__ in OPEN_PAGES:
        assert handler.least_role == {}
        return
    assert not handler.answers_links
    assert all(handler.least_role.get(method) for method in methods)


@pytest.mark.parametrize("entry", OAUTH_ROUTES, ids=lambda entry: entry[0])
def test_every_endpoint_of_sign_ins_refuses_web_pages(entry):
    _, handler, options = entry
    assert handler.authenticate is OAuthHandler.authenticate
    assert options.access is AccessPolicy.SIDE  # its bodies are strangers'


def test_no_listed_route_is_missing_from_the_table() -> None:
    assert {path for path, _, _ in ROUTES} >= OPEN_ROUTES


@pytest.mark.parametrize(
    "handler",
    sorted(
        {
            entry[1]
            for table in (SOCKETS, ROUTES, ADMIN_ROUTES, OAUTH_ROUTES, DASHBOARD_ROUTES)
            for entry in table
        },
        key=repr,
    ),
    ids=lambda handler: handler.__name__,
)
def test_handlers_do_not_override_how_a_request_comes_in(handler):
    """`prepare` and `authenticate` of the bases are the only doors."""
    doors = {"prepare", "authenticate"}
    for one in handler.mro():
        if doors & vars(one).keys() and not one.__module__.startswith("tornado."):
            assert one in HANDLER_BASES, f"{one.__name__} lets requests in by itself"
