"""`run.py accounts …` without a running gateway: all in the database."""

import asyncio
import json
import sqlite3
import stat
import time
from functools import partial

import pytest

from gateway.cli.output import format_time
from gateway.demo.accounts import DemoAccount


def names(commands):
    return [row["name"] for row in commands.rows("accounts", "list")]


def test_an_import_is_listed_with_its_source_and_no_secret(commands, auth_file):
    file = auth_file("ada")
    done = commands.good("accounts", "import", file)
    assert done.out == f"Added account 'ada@demo.example' from {file}.\n"
    listed = commands.good("accounts", "list", "--json")
    assert listed.row["source_file"] == str(file)
    assert listed.row["state"] == "active"
    assert listed.row["token_expires_at"] > 0
    assert "fake-refresh" not in listed.out
    assert b"fake-refresh" not in (commands.data_dir / "gateway.db").read_bytes()


def test_what_is_made_is_readable_for_its_owner_alone(commands, auth_file):
    commands.good("accounts", "import", auth_file("ada"))
    assert stat.S_IMODE(commands.data_dir.stat().st_mode) == 0o700
    for file in commands.data_dir.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_several_files_are_imported_at_once(commands, auth_file):
    files = [auth_file(name) for name in ("ada", "grace")]
    commands.good("accounts", "import", *files)
    assert names(commands) == ["ada@demo.example", "grace@demo.example"]


def test_of_several_files_none_is_imported_when_one_is_bad(
    commands, auth_file, tmp_path
):
    broken = tmp_path / "broken.json"
    broken.write_text('{"tokens": "secret-word"')
    done = commands("accounts", "import", auth_file("ada"), broken, tmp_path / "none")
    assert done.status == 1
    assert f"{broken}: is not JSON" in done.err
    assert f"{tmp_path / 'none'}: No such file" in done.err
    assert "Nothing was imported." in done.err
    assert "secret-word" not in done.err
    assert names(commands) == []


def test_a_directory_is_no_auth_file(commands, tmp_path):
    done = commands("accounts", "import", tmp_path)
    assert done.status == 1
    assert "is no regular file" in done.err


def test_camel_case_is_read_as_well(commands, tmp_path):
    tokens = DemoAccount("ada").auth_document()["tokens"]
    camel = {
        "idToken": tokens["id_token"],
        "accessToken": tokens["access_token"],
        "refreshToken": tokens["refresh_token"],
        "accountId": tokens["account_id"],
    }
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"tokens": camel, "lastRefreshAt": "2026-01-01"}))
    commands.good("accounts", "import", file)
    assert names(commands) == ["ada@demo.example"]


def test_a_second_import_updates_and_makes_no_twin(commands, tmp_path):
    account = DemoAccount("ada")
    commands.good("accounts", "import", account.write_auth_file(tmp_path))
    commands.good("accounts", "pause", "ada@demo.example")
    account.plan, account.lifetime = "pro", account.lifetime * 2
    account.issue()
    again = commands.good(
        "accounts", "import", account.write_auth_file(tmp_path), "--name", "Ada"
    )
    assert again.out.startswith("Updated account 'Ada'")
    (row,) = commands.rows("accounts", "list")
    assert (row["name"], row["plan"], row["state"]) == ("Ada", "pro", "paused")


def test_two_members_of_one_workspace_are_two_accounts(commands, tmp_path):
    for user in ("first", "second"):
        account = DemoAccount(user)
        document = account.auth_document()
        document["tokens"]["account_id"] = "acc-workspace"
        file = tmp_path / f"{user}.json"
        file.write_text(json.dumps(document))
        commands.good("accounts", "import", file)
    assert len(names(commands)) == 2


def test_one_address_in_two_workspaces_gets_two_names(commands, tmp_path):
    account = DemoAccount("ada")
    for workspace in ("w1", "w2"):
        document = account.auth_document()
        document["tokens"]["account_id"] = workspace
        (tmp_path / f"{workspace}.json").write_text(json.dumps(document))
        commands.good("accounts", "import", tmp_path / f"{workspace}.json")
    assert names(commands) == ["ada@demo.example", "ada@demo.example-2"]


ADD = ("accounts", "add", "--name", "paid", "--api-key-env", "PAID_KEY", "--base-url")


def test_an_endpoint_with_an_api_key_is_added_and_goes_last(commands):
    commands.good(*ADD, "https://api.example/v1/", PAID_KEY="sk-fake-paid")
    listed = commands.good("accounts", "list", "--json")
    assert listed.row["base_url"] == "https://api.example/v1"
    assert (listed.row["kind"], listed.row["priority"]) == ("api_key", 100)
    assert listed.row["chat_parameters"] is False
    commands.good("accounts", "set", "paid", "--chat-parameters")
    assert commands.rows("accounts", "list")[0]["chat_parameters"] is True
    assert "sk-fake-paid" not in listed.out
    assert b"sk-fake-paid" not in (commands.data_dir / "gateway.db").read_bytes()


def test_a_key_that_is_not_in_the_environment_adds_nothing(commands):
    done = commands(*ADD, "https://api.example/v1")
    assert (done.status, "PAID_KEY is not set" in done.err) == (1, True)
    assert names(commands) == []


@pytest.mark.parametrize(
    "url",
    [
        "api.example",
        "file:///etc",
        "https://u:p@a.example",
        "https://a.example/v1/responses",
        "https://a.example/v1/chat/completions/",
    ],
)
def test_a_base_url_that_requests_cannot_go_to_is_refused(commands, url):
    done = commands(*ADD, url, PAID_KEY="k")
    assert done.status == 1
    assert done.err.startswith("Error: base URL")


def test_pause_resume_set_remove(commands, auth_file):
    commands.good("accounts", "import", auth_file("ada"))
    name = "ada@demo.example"
    commands.good("accounts", "pause", name)
    assert commands.rows("accounts", "list")[0]["state"] == "paused"
    commands.good("accounts", "resume", "1")  # its number does as well
    assert commands.rows("accounts", "list")[0]["state"] == "active"
    commands.good("accounts", "set", name, "--priority", "7", "--concurrency", "3")
    commands.good("accounts", "set", name, "--no-websockets", "--rename", "Ada")
    (row,) = commands.rows("accounts", "list")
    assert (row["name"], row["priority"], row["concurrency"]) == ("Ada", 7, 3)
    assert row["websockets"] is False
    commands.good("accounts", "set", "Ada", "--residency", " US ")
    assert commands.rows("accounts", "list")[0]["residency"] == "us"
    commands.good("accounts", "set", "Ada", "--residency", "")
    assert commands.rows("accounts", "list")[0]["residency"] == ""
    for option in (("--residency", "u\ns"), ("--chat-parameters",)):
        done = commands("accounts", "set", "Ada", *option)
        assert (done.status, "Error: " in done.err) == (1, True)
    commands.good("accounts", "remove", "Ada")
    assert names(commands) == []


def test_an_account_that_is_not_there_is_named(commands):
    for command in ("pause", "resume", "remove"):
        done = commands("accounts", command, "nobody")
        assert done.status == 1
        assert done.err.startswith("Error: There is no account 'nobody': `run.py acc")


def test_the_encryption_key_is_replaced_and_the_old_one_destroyed(commands, auth_file):
    commands.good("accounts", "import", auth_file("ada"))
    key_file = commands.data_dir / "encryption.key"
    old = key_file.read_text().strip()
    before = _sealed(commands)
    assert commands.good("accounts", "rotate-key", "--json").row["resealed"] == 1
    assert old not in key_file.read_text()
    assert _sealed(commands) != before
    assert commands.rows("accounts", "list")[0]["state"] == "active"


def test_credentials_without_their_key_need_a_login_and_say_so(commands, auth_file):
    commands.good("accounts", "import", auth_file("ada"))
    (commands.data_dir / "encryption.key").unlink()
    (row,) = commands.rows("accounts", "list")
    assert row["state"] == "reauth_required"
    assert "decrypted" in row["why"]


def _sealed(commands):
    database = sqlite3.connect(commands.data_dir / "gateway.db")
    try:
        return database.execute("SELECT credentials FROM account").fetchall()
    finally:
        database.close()


@pytest.mark.gen_test
async def test_access_tokens_are_imported_from_files_and_from_stdin(
    commands, upstream, tmp_path
):
    commands.env["GATEWAY_AUTH_BASE_URL"] = upstream.url
    run = asyncio.get_running_loop().run_in_executor

    async def imported(*arguments, **more):
        command = partial(commands, "accounts", "import", *arguments, **more)
        return await run(None, command)

    for name in ("ada", "grace"):
        upstream.add_account(name)
    file = tmp_path / "auth.json"
    file.write_text(json.dumps(upstream.accounts["ada"].access_document()))
    assert (await imported(file)).status == 0
    token = upstream.accounts["grace"].personal_access_token
    done = await imported("-", "--name", "Grace", stdin=f"{token}\n")
    assert done.out == "Added account 'Grace' from -.\n"
    ada, grace = commands.rows("accounts", "list")
    assert (ada["source_file"], grace["source_file"]) == (str(file), None)
    assert (ada["auth"], grace["auth"]) == ("access_token", "access_token")
    lasting = upstream.accounts["ada"].access_token
    assert (await imported("-", stdin=lasting)).status == 0  # its end is known
    listed = commands.good("accounts", "list").out
    assert "TOKEN ENDS" in listed
    ends = commands.rows("accounts", "list")[0]["token_expires_at"]
    assert format_time(ends)[:-3] in listed
    for done in (
        await imported(file, "-", stdin="at-sesame"),
        await imported("-", stdin="sesame"),
    ):
        assert done.status == 1
        assert "Nothing was imported." in done.err
        assert "sesame" not in done.err
    assert token.encode() not in (commands.data_dir / "gateway.db").read_bytes()


def test_a_resumed_account_says_what_still_holds(commands, auth_file):
    commands.good("accounts", "import", auth_file("ada"))
    until = time.time() + 3600
    limit = {"window": "primary", "since": until - 7200, "until": until, "by": "them"}
    with sqlite3.connect(commands.data_dir / "gateway.db") as database:
        database.execute(
            "UPDATE account SET is_paused = 1, state_detail = ?",
            (json.dumps({"limit": limit}),),
        )
    database.close()
    resumed = commands.good("accounts", "resume", "ada")
    assert "paused: yes → no" in resumed.out
    assert "No gateway runs here that could ask" in resumed.out
    assert f"limited until {format_time(until)}: primary limit, says" in resumed.out
    row = commands.good("accounts", "resume", "ada", "--json").row
    assert (row["state"], row["until"], row["ruling"]) == ("limited", until, None)
