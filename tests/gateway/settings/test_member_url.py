"""Where members may talk to each other: nobody else hears them there."""

import os
from ipaddress import ip_network

import pytest
from environs import EnvValidationError

from gateway.settings import Settings
from gateway.settings.member_url import is_fit_for_members, with_port

NETWORKS = (ip_network("10.0.3.0/24"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("url", "near", "far"),
    [
        ("https://gateway.example", True, True),
        ("https://", False, False),
        ("http://gateway.example", False, False),
        ("http://10.0.3.7:2455", True, True),
        ("http://10.0.4.7:2455", False, False),
        ("http://[fd00::7]:2455", True, True),
        ("http://127.0.0.1:2455", True, False),
        ("http://[::1]:2455", True, False),
        ("http://localhost:2455", True, False),
        ("ftp://127.0.0.1", False, False),
        ("localhost", False, False),
        ("", False, False),
        (f"https://{'a' * 300}.example", False, False),
        ("http://[::1", False, False),
        ("http://127.0.0.1:x", False, False),
        ("http://127.0.0.1@gateway.example", False, False),
    ],
)
def test_http_only_on_this_machine_or_in_named_networks(url, near, far):
    assert is_fit_for_members(url, NETWORKS) is near
    assert is_fit_for_members(url, NETWORKS, is_near=False) is far


def test_a_worker_is_reached_at_its_own_port():
    assert with_port("http://127.0.0.1:2455", 7) == "http://127.0.0.1:7"
    assert with_port("http://[fd00::7]:2455", 7) == "http://[fd00::7]:7"
    assert with_port("https://gateway.example", 7) == "https://gateway.example"


def test_a_url_that_others_could_listen_at_is_refused_and_says_what_is_taken(
    monkeypatch,
):
    monkeypatch.setenv("GATEWAY_MEMBER_URL", "http://10.0.3.7:2455")
    with pytest.raises(EnvValidationError) as caught:
        Settings.from_env(dotenv=os.devnull)
    (flaw,) = caught.value.error_messages["GATEWAY_MEMBER_URL"]
    assert "GATEWAY_MEMBER_NETWORKS" in flaw
    monkeypatch.setenv("GATEWAY_MEMBER_NETWORKS", "10.0.3.0/24")
    settings = Settings.from_env(dotenv=os.devnull)
    assert settings.member_networks == NETWORKS[:1]
