import os

import pytest
from environs import EnvValidationError

from gateway.settings import Settings
from gateway.settings.zones import machine_zone, zone_named

SSO = {
    "SSO_USER_HEADER": "X-SSO-User",
    "SSO_PEERS": "10.0.0.7",
    "SSO_SECRET": "0123456789abcdef0123456789abcdef",
}


@pytest.fixture
def read(monkeypatch):
    def from_env(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"GATEWAY_{name}", value)
        return Settings.from_env(dotenv=os.devnull)

    return from_env


def test_pages_are_for_this_machine_unless_an_owner_says_more(read):
    settings = read()
    assert settings.dashboard == "local"
    assert zone_named(settings.time_zone)
    assert (settings.sso_user_header, settings.sso_peers) == ("", ())
    assert read(DASHBOARD="on").dashboard == "on"


def test_a_proxy_signs_users_in_by_all_three_settings(read):
    settings = read(**SSO)
    assert settings.sso_user_header == "x-sso-user"
    assert settings.sso_secret.reveal() == SSO["SSO_SECRET"]
    assert SSO["SSO_SECRET"] not in repr(settings)


@pytest.mark.parametrize("missing", SSO)
def test_two_of_the_three_are_a_mistake(read, missing):
    with pytest.raises(EnvValidationError) as told:
        read(**{name: value for name, value in SSO.items() if name != missing})
    assert list(told.value.error_messages) == [f"GATEWAY_{missing}"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"DASHBOARD": "yes"},
        {"TIME_ZONE": "Mars/Olympus"},
        {**SSO, "SSO_USER_HEADER": "User-Agent"},
        {**SSO, "SSO_USER_HEADER": "X-Forwarded-For"},
        {**SSO, "SSO_USER_HEADER": "X-Gateway-SSO-Secret"},
        {**SSO, "SSO_USER_HEADER": "X SSO"},
        {**SSO, "SSO_SECRET": "too short"},
    ],
)
def test_what_cannot_be_meant_is_refused_and_no_secret_told(read, wrong):
    with pytest.raises(EnvValidationError) as told:
        read(**wrong)
    assert "too short" not in repr(told.value.error_messages)


def test_the_zone_is_the_machines_by_itself(read, monkeypatch):
    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert machine_zone() == read().time_zone == "Europe/Berlin"
    assert read(TIME_ZONE="+05:30").time_zone == "+05:30"
