"""`people` and `devices`, where no gateway runs."""

import re

import pytest

from gateway.cli.base import connected_database
from gateway.settings import Settings
from gateway.store.database import transaction
from tests.devices import sign_in_device

LINK = re.compile(r"http://127\.0\.0\.1:1/dashboard/link#[\w-]{43}")


def test_a_person_is_invited_listed_and_removed(commands):
    assert "people invite NAME" in commands.good("people", "list").out
    done = commands.good("people", "invite", "ada", "--limit", "cost 50/30d")
    assert LINK.fullmatch(done.out.strip())
    assert "It gives 'ada' a password, once, until" in done.err
    assert "It opens on this machine alone" in done.err
    public = {"GATEWAY_PUBLIC_URL": "https://gateway.example"}
    half = commands.good("people", "invite", "ada", **public)
    assert "this machine alone" in half.err
    public["GATEWAY_DASHBOARD"] = "on"
    assert "alone" not in commands.good("people", "invite", "ada", **public).err
    off = commands.good("people", "invite", "ada", GATEWAY_DASHBOARD="off")
    assert "GATEWAY_DASHBOARD is off" in off.err
    (row,) = commands.rows("people", "list")
    assert (row["person"], row["role"], row["state"]) == ("ada", "holder", "invited")
    (key,) = commands.rows("keys", "list")
    assert (key["name"], key["limits"]) == ("ada", ["cost 50/30d"])
    # Another link, and no second seat.
    again = commands.good("people", "invite", "Ada", "--json").row
    assert LINK.fullmatch(again["url"])
    assert again["url"] != done.out.strip()
    refused = commands("people", "invite", "ada", "--limit", "cost 5/30d")
    assert "'ada' has a seat already" in refused.err
    assert commands.good("people", "disable", "ada", "--json").row["name"] == "ada"
    assert commands.good("people", "show", "ada", "--json").row["state"] == "disabled"
    commands.good("people", "enable", "ada")
    assert "person:" in commands.good("people", "show", "ada").out
    commands.good("people", "remove", "ada")
    assert commands.rows("people", "list") == []
    assert commands.rows("keys", "list") == []
    missing = "There is no person 'ada': `run.py people list` shows those there are"
    assert missing in commands("people", "show", "ada").err
    told = str(commands.rows("audit"))
    assert again["url"].partition("#")[2] not in told


def test_a_key_becomes_a_seat(commands):
    token = commands.good("keys", "create", "laptop").out.strip()
    commands.good("people", "invite", "ada", "--key", "laptop")
    (row,) = commands.rows("people", "list")
    assert row["seat"] == "laptop"
    (key,) = commands.rows("keys", "list")
    assert not token.startswith(key["prefix"])


@pytest.mark.parametrize(
    ("options", "reason"), [((), "signed out"), (("--now",), "ended")]
)
def test_a_device_is_listed_and_ended(commands, monkeypatch, options, reason):
    assert "No device" in commands.good("devices", "list").out
    commands.good("people", "invite", "ada")
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(commands.data_dir))
    with connected_database(Settings.from_env()) as database, transaction(database):
        made = sign_in_device("ada")
    assert "laptop" in commands.good("devices", "list").out
    assert "laptop" in commands.good("people", "show", "ada").out
    (row,) = commands.rows("devices", "list", "--person", "ada")
    assert (row["name"], row["seat"], row["ends_at"]) == ("laptop", "ada", None)
    assert not {"family", "refresh_digest"} & row.keys()
    done = commands.good("devices", "sign-out", made.device_id, *options, "--json").row
    assert done["name"] == "laptop"
    (row,) = commands.rows("devices", "list")
    assert row["end_reason"] == reason
    missing = "There is no device '99': `run.py devices list` shows those there are"
    assert missing in commands("devices", "sign-out", 99).err
    again = commands("devices", "sign-out", made.device_id, *options)
    assert f"'laptop' is {reason} already" in again.err
    assert ("at once" in again.err) is (reason == "signed out")
    assert "did you mean ada?" in commands("people", "show", "adda").err
    commands.good("people", "remove", "ada")
    assert "ended" in commands.good("devices", "list").out
