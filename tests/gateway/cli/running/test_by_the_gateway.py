"""Commands act on the gateway that runs, whatever database the shell would name."""

import inspect
from importlib import import_module

import pytest

from gateway.cli.reports import distant_log
from gateway.cli.running.api_routes import ROUTES
from gateway.store.models import AuditLog
from tests.gateway.sign_in.conftest import HOME
from tests.serving import V1, payload

pytestmark = pytest.mark.gen_test(timeout=30)


async def ask(serving, token):
    headers = {"authorization": f"Bearer {token}"}
    return (await serving.ask(V1, payload(), headers=headers)).status


async def test_keys_are_made_changed_and_removed_in_it(serving, shell):
    made = await shell.good("keys", "create", "--name", "dave", "--rpm", "90")
    token = made.out.strip()
    assert "first key" in made.err
    # Both are named: the shell stands for another one.
    assert shell.database in made.err
    assert f"{shell.data_dir}/gateway.db" in made.err
    assert await ask(serving, token) == 200
    await shell.good("keys", "disable", "dave")
    assert await ask(serving, token) == 401
    await shell.good("keys", "enable", "dave")
    assert await ask(serving, token) == 200
    renamed = ("--rename", "david", "--models", "nothing-*")
    row = (await shell.good("keys", "update", "dave", *renamed, "--json")).row
    assert row["name"] == "david"
    assert await ask(serving, token) == 403
    assert (await shell.good("keys", "list", "--json")).row["models"] == ["nothing-*"]
    assert (await shell.good("keys", "show", "david", "--json")).row["rpm"] == 90
    rotated = (await shell.good("keys", "rotate", "david")).out.strip()
    assert await ask(serving, token) == 401
    assert await ask(serving, rotated) == 403
    await shell.good("keys", "remove", "david")
    assert await ask(serving, rotated) == 401


async def test_accounts_are_added_changed_and_removed_in_it(
    serving, shell, upstream, tmp_path
):
    await shell.good("accounts", "pause", "one")
    assert serving.account("one").health.status(0) == "paused"
    await shell.good("accounts", "resume", "one")
    assert serving.account("one").health.status(0) == "active"
    await shell.good("accounts", "set", "one", "--priority", "7", "--rename", "first")
    assert serving.account("first").priority == 7
    base = f"{upstream.url}/v1"
    added = ("--name", "paid", "--api-key-env", "PAID", "--base-url", base)
    await shell.good("accounts", "add", *added, PAID="fake-api-key")
    assert serving.account("paid").credentials.api_key.reveal() == "fake-api-key"
    path = upstream.add_account("ada").write_auth_file(tmp_path / "auth")
    imported = (await shell.good("accounts", "import", path, "--json")).row
    assert (imported["is_new"], imported["file"]) == (True, str(path))
    assert serving.account(imported["name"]).source_path == str(path)
    again = await shell.good("accounts", "import", path)
    assert again.out.startswith(f"Updated account '{imported['name']}'")
    await shell.good("accounts", "remove", "paid")
    assert serving.account("paid") is None
    await shell.good("accounts", "rotate-key")
    assert (await serving.ask()).status == 200


async def test_a_link_to_the_dashboard_is_made_in_it(serving, shell):
    first = (await shell.good("dashboard", "link")).out.strip()
    assert first.startswith(f"{shell.url}/dashboard/link#")
    sign_in, token = serving.gateway.sign_in, first.partition("#")[2]
    await sign_in.use_link(token, "ada", "a long enough password", HOME)
    refused = await shell("dashboard", "link")
    assert (refused.status, refused.out) == (1, "")
    assert "dashboard link --user NAME" in refused.err
    row = (await shell.good("dashboard", "link", "--user", "ada", "--json")).row
    assert row["user"] == "ada"
    assert await sign_in.whose_link(row["url"].partition("#")[2]) == "ada"


async def test_settings_are_read_and_changed_in_it(serving, shell):
    await shell.good("strategy", "round_robin")
    assert serving.gateway.pool.strategy == "round_robin"
    assert (await shell.good("strategy")).out == "round_robin\n"
    told = await shell.good("tools", "refuse web_search")
    assert "none → refuse web_search" in told.out
    await shell.good("aliases", "small=gpt-5.5")
    assert (await shell.good("aliases")).out == "small=gpt-5.5\n"
    assert len(serving.gateway.rules.aliases) == 1


async def test_what_it_served_is_told_by_it(serving, shell):
    await serving.ask()
    (row,) = await serving.rows()
    (sums,) = (await shell.good("usage", "--by", "model", "--json")).rows
    assert sums["requests"] == 1
    told = await shell.good("explain", row["request_id"], "--json")
    assert told.row["request_id"] == row["request_id"]


async def test_a_change_is_the_shell_s_and_a_refusal_is_told(serving, shell):
    await shell.good("keys", "create", "--name", "k")
    done = await shell("keys", "create", "--name", "k")
    assert done.status == 1
    assert "Error: There is an API key 'k' already\n" in done.err
    done = await shell("keys", "update", "k", "--limit", "much")
    assert (done.status, "write MEASURE AMOUNT" in done.err) == (1, True)
    actors = await serving.gateway.store.read(
        lambda: [row.actor for row in AuditLog.select() if row.actor != "test"]
    )
    assert len(actors) == 1
    assert actors[0].startswith("cli")


async def test_a_file_of_settings_names_a_database_as_well(
    shell, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"GATEWAY_DATABASE_URL=sqlite:///{tmp_path}/x.db")
    done = await shell("keys", "create", "k")
    assert (done.status, f"{tmp_path}/x.db" in done.err) == (1, True)


@pytest.mark.parametrize("file", ["other.db", "shell/data/gateway.db"])
async def test_settings_that_name_another_database_are_refused(
    serving, shell, tmp_path, file
):
    other = f"sqlite:///{tmp_path}/{file}"
    for words in (
        *(["keys", "create", "k"], ["accounts", "pause", "one"], ["turns"], ["logs"]),
        *(["keys", "list"], ["accounts", "list"], ["accounts", "rotate-key"]),
    ):
        done = await shell(*words, GATEWAY_DATABASE_URL=other)
        assert done.status == 1
        assert f"{tmp_path}/{file}" in done.err
        assert shell.database in done.err
        assert "sk-cgw" not in done.out + done.err
    assert not (tmp_path / file).exists()
    assert not list(serving.gateway.ring)


async def test_the_log_is_asked_of_it_page_by_page(serving, shell, monkeypatch):
    monkeypatch.setattr(distant_log, "LONGEST_PAGE", 2)
    for _ in range(5):
        await serving.ask()
    ids = [row["request_id"] for row in await serving.rows(5)]
    found = (await shell.good("logs", "--limit", "4", "--since", "1h", "--json")).rows
    assert [row["request_id"] for row in found] == ids[1:]
    assert ids[4][:8] in (await shell.good("logs", "--limit", "1")).out
    assert (await shell.good("logs", "--status", "error", "--json")).out == ""


async def test_what_only_the_database_tells_is_refused_without_it(shell, tmp_path):
    done = await shell("export", "--output", tmp_path / "log.jsonl")
    assert done.status == 1
    assert shell.database in done.err
    assert "GATEWAY_DATABASE_URL" in done.err
    assert "needs the database" in (await shell("logs", "--follow")).err
    assert "at most 10,000" in (await shell("logs", "--limit", "10001")).err


async def test_the_same_file_by_another_name_is_the_same(serving, shell, tmp_path):
    (tmp_path / "link").symlink_to(serving.settings.data_dir)
    env = {"GATEWAY_DATABASE_URL": f"sqlite:///{tmp_path}/link/gateway.db"}
    made = await shell.good("keys", "create", "--name", "k", **env)
    assert shell.database not in made.err
    assert [key.name for key in serving.gateway.ring] == ["k"]


def test_what_is_routed_exists_with_these_arguments():
    for name, route in ROUTES.items():
        module, _, function = name.rpartition(".")
        found = getattr(import_module(f"gateway.{module}"), function)
        expected = list(inspect.signature(found).parameters)
        assert list(inspect.signature(route.call).parameters) == expected, name
