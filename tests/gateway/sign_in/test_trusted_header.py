"""By a proxy's word comes in who exists, from that proxy, with its secret; no owner."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.secret import Secret
from gateway.settings import Settings
from gateway.sign_in.trusted_header import SECRET_HEADER, proxys_word, trusted_user
from gateway.sign_in.users import Role, User

SECRET = "0123456789abcdef0123456789abcdef"
PROXY = "10.0.0.7"
SETTINGS = replace(
    Settings.from_env(dotenv="/dev/null"),
    sso_user_header="x-sso-user",
    sso_peers=(ip_network(PROXY),),
    sso_secret=Secret(SECRET),
)
USERS = {
    "ada": User(1, "ada", Role.OWNER, None),
    "eve": User(2, "eve", Role.OPERATOR, None),
    "bob": User(3, "bob", Role.VIEWER, None),
    "gone": User(4, "gone", Role.VIEWER, None, disabled=True),
}


def told(names=("eve",), secrets=(SECRET,), peer=PROXY, settings=SETTINGS):
    sent = {"x-sso-user": names, SECRET_HEADER: secrets}
    name = proxys_word(settings, peer, lambda name: sent.get(name, ()))
    return trusted_user(USERS.get(name))


@pytest.mark.parametrize(
    ("name", "role"),
    [("ada", Role.OPERATOR), ("eve", Role.OPERATOR), ("bob", Role.VIEWER)],
)
def test_who_exists_comes_in_and_nobody_as_an_owner(name, role):
    assert told([name]) == replace(USERS[name], role=role)


@pytest.mark.parametrize(
    "wrong",
    [
        {"names": ()},
        {"names": ("",)},
        {"names": ("nobody",)},
        {"names": ("gone",)},
        {"names": ("eve", "eve")},
        {"names": ("eve, bob",)},
        {"secrets": ()},
        {"secrets": ("",)},
        {"secrets": (SECRET[:-1],)},
        {"secrets": (SECRET, SECRET)},
        {"secrets": ("\udcff",)},
        {"peer": "10.0.0.8"},
        {"peer": "127.0.0.1"},
        {"peer": ""},
        {"settings": Settings.from_env(dotenv="/dev/null")},
        {
            "settings": replace(
                SETTINGS, sso_peers=(), trusted_proxies=SETTINGS.sso_peers
            )
        },
    ],
)
def test_whatever_is_not_as_it_has_to_be_lets_nobody_in(wrong):
    assert told(**wrong) is None


@given(
    st.lists(st.text(), max_size=2), st.lists(st.text(), max_size=2), st.ip_addresses()
)
def test_no_stranger_comes_in(names, secrets, peer):
    user = told(names, secrets, str(peer))
    assert user is None or (str(peer) == PROXY and secrets == [SECRET])
