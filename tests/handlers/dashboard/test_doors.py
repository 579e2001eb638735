"""Who may ask for a page: decided from the head, whatever cookie comes with it."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from gateway.admission.client_address import RequestFacts
from gateway.errors import ForbiddenOrigin, NotFound
from gateway.settings import Settings
from handlers.dashboard.doors import (
    DashboardClosed,
    ForeignNavigation,
    check_door,
    cookie_name,
    is_session_safe,
    why_session_unsafe,
)

LOCAL = replace(
    Settings.from_env("/nonexistent"),
    dashboard="local",
    trusted_proxies=(ip_network("10.0.0.0/8"),),
    public_url="https://gw.example:8443",
)
ON = replace(LOCAL, dashboard="on")
OFF = replace(LOCAL, dashboard="off")
BEHIND_TLS = {"x_forwarded_proto": "https", "x_forwarded_for": "192.0.2.7"}
LINK = {
    "sec_fetch_site": "cross-site",
    "sec_fetch_mode": "navigate",
    "sec_fetch_dest": "document",
}


def facts(peer="127.0.0.1", host="localhost:2455", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RequestFacts(peer, {"host": host, **named}, path="/dashboard/")


def proxied(host="gw.example:8443", **headers):
    return facts("10.0.0.1", host, **BEHIND_TLS, **headers)


@pytest.mark.parametrize("one", [facts(), proxied()])
def test_off_is_as_if_it_were_not_there(one):
    with pytest.raises(NotFound):
        check_door(one, OFF, "GET")


@pytest.mark.parametrize(
    "one",
    [
        facts("192.0.2.1"),
        proxied(),
        facts(x_forwarded_for="127.0.0.1"),
        facts(x_forwarded_proto="https"),
        facts(forwarded="for=127.0.0.1"),
        facts(x_real_ip="127.0.0.1"),
        facts(via="1.1 proxy"),
        facts("10.0.0.1", "localhost", **BEHIND_TLS),
    ],
)
def test_local_is_this_machine_s_own_browser_and_no_proxy_on_it(one):
    with pytest.raises(DashboardClosed, match="GATEWAY_DASHBOARD=on"):
        check_door(one, LOCAL, "GET")


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:2455", "[::1]:2455"])
def test_it_is_open_to_this_machine(peer, host):
    check_door(facts(peer, host), LOCAL, "GET")
    check_door(facts(peer, host), ON, "GET")


@pytest.mark.parametrize(
    ("bound", "host", "is_own"),
    [
        ("0.0.0.0", "0.0.0.0:2455", False),
        ("::", "[::]:2455", False),
        ("192.0.2.9", "192.0.2.9:2455", True),
        ("2001:DB8::9", "[2001:db8::9]:2455", True),
        ("0.0.0.0", "192.0.2.9:2455", False),
        ("gateway.lan", "gateway.lan", True),
        ("0.0.0.0", "gw.example", True),
        ("0.0.0.0", "gw.example.", True),
        ("0.0.0.0", "GW.example:8443", True),
        ("0.0.0.0", "gw.example.evil", False),
        ("0.0.0.0", "evil@gw.example", False),
        ("0.0.0.0", "gw.example,evil", False),
        ("0.0.0.0", "", False),
    ],
)
def test_it_answers_to_its_own_names_only(bound, host, is_own):
    settings = replace(ON, host=bound)
    if is_own:
        check_door(facts("192.0.2.1", host), settings, "GET")
    else:
        with pytest.raises(DashboardClosed, match="GATEWAY_PUBLIC_URL"):
            check_door(facts("192.0.2.1", host), settings, "GET")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", " Cross-Site"])
def test_a_link_from_elsewhere_may_be_followed(method, site):
    with pytest.raises(ForeignNavigation):
        check_door(proxied(**{**LINK, "sec_fetch_site": site}), ON, method)


@pytest.mark.parametrize(
    ("method", "changed"),
    [
        ("POST", {}),
        ("GET", {"sec_fetch_mode": "no-cors"}),
        ("GET", {"sec_fetch_mode": "cors"}),
        ("GET", {"sec_fetch_dest": "iframe"}),
        ("GET", {"sec_fetch_dest": "image"}),
        ("GET", {"sec_fetch_dest": ""}),
        ("GET", {"sec_fetch_site": "of-tomorrow"}),
    ],
)
def test_nothing_else_of_another_site_is_let_in(method, changed):
    with pytest.raises(ForbiddenOrigin):
        check_door(proxied(**{**LINK, **changed}), ON, method)


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({"sec_fetch_site": "same-origin"}, True),
        ({"origin": "https://gw.example:8443"}, True),
        ({"sec_fetch_site": "none"}, False),
        ({}, False),
        # As browsers send it from a page of ours, which has no referrer.
        ({"origin": "null", "sec_fetch_site": "same-origin"}, True),
        ({"origin": "null", "sec_fetch_site": "none"}, False),
        ({"origin": "null", "sec_fetch_site": "cross-site"}, False),
        ({"origin": "null"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "https://evil.example", "sec_fetch_site": "same-origin"}, False),
    ],
)
def test_a_form_is_one_of_our_pages(headers, is_own):
    if is_own:
        check_door(proxied(**headers), ON, "POST")
    else:
        with pytest.raises(ForbiddenOrigin):
            check_door(proxied(**headers), ON, "POST")


@pytest.mark.parametrize(
    ("one", "is_safe"),
    [
        (proxied(), True),
        (facts(sec_fetch_site="same-origin"), True),
        (facts(sec_fetch_site="none"), True),
        (facts(), False),
        (facts(sec_fetch_site="same-site"), False),
        (facts(sec_fetch_site="none", x_forwarded_for="127.0.0.1"), False),
        (facts("192.0.2.1", sec_fetch_site="none"), False),
        (facts("192.0.2.1", x_forwarded_proto="https"), False),
        (facts("10.0.0.1", x_forwarded_proto="http"), False),
    ],
)
def test_a_session_needs_tls_or_this_machine(one, is_safe):
    assert is_session_safe(one, ON) is is_safe


@pytest.mark.parametrize(
    ("one", "what"),
    [
        (facts(), "Sec-Fetch-Site"),
        (facts("192.0.2.1"), "GATEWAY_PUBLIC_URL"),
        (facts("192.0.2.1", x_forwarded_proto="https"), "GATEWAY_TRUSTED_PROXIES"),
        (facts("10.0.0.1", x_forwarded_proto="http"), "use the https address"),
    ],
)
def test_what_is_missing_for_a_session_is_said(one, what):
    assert what in why_session_unsafe(one, ON)


def test_a_cookie_s_name_keeps_other_hosts_and_ports_out():
    assert cookie_name(proxied(), ON, "c") == "__Host-c"
    assert cookie_name(facts(), ON, "c") == "c-2455"
    assert cookie_name(facts(host="localhost"), ON, "c") == "c-80"
