"""How run.py starts: settings, help, what it refuses."""

import stat

import pytest

from run import main


def test_help_lists_every_command(commands):
    out = commands.good("--help").out
    for name in (
        *(
            "accounts",
            "admin",
            "aliases",
            "backup",
            "codex-config",
            "demo",
            "doctor",
            "explain",
        ),
        *("export", "keys", "logs", "rules", "serve", "strategy", "tools", "usage"),
    ):
        assert f"\n  {name} " in out


def test_all_wrong_settings_are_told_at_once(commands):
    done = commands("keys", "list", GATEWAY_PORT="http", GATEWAY_IDLE_TIMEOUT="-1")
    assert done.status == 2
    assert "GATEWAY_PORT: " in done.err
    assert "GATEWAY_IDLE_TIMEOUT: " in done.err


@pytest.mark.parametrize(
    "hosts", ["http://gw.lan", "gw.lan:2455", "*", "a b", "\u00fc"]
)
def test_allowed_hosts_are_names_only(commands, hosts):
    done = commands("keys", "list", GATEWAY_ALLOWED_HOSTS=f"codex.lan, {hosts}")
    assert (done.status, "GATEWAY_ALLOWED_HOSTS: " in done.err) == (2, True)
    assert "is no host name" in done.err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "gateway.example"])
def test_a_reachable_address_without_a_key_is_refused(commands, host):
    done = commands(GATEWAY_HOST=host)
    assert done.status == 1
    assert "run.py keys create" in done.err
    assert "--no-key" in done.err


def test_a_database_that_cannot_be_used_is_one_clear_line(commands):
    done = commands("keys", "list", GATEWAY_DATABASE_URL="mysql://x/y")
    assert (done.status, done.err.startswith("Error: The database URL")) == (1, True)
    done = commands("keys", "list", GATEWAY_DATABASE_URL="sqlite:////proc/none/x.db")
    assert (done.status, done.err.count("\n")) == (1, 1)


def test_a_wrong_encryption_key_is_not_shown(commands):
    done = commands("accounts", "list", GATEWAY_ENCRYPTION_KEY="my-secret-key")
    assert done.status == 1
    assert "encryption key" in done.err
    assert "my-secret-key" not in done.err


def test_the_admin_token_is_printed_and_stays(commands):
    first = commands.good("admin", "token").out
    assert commands.good("admin", "token", "--json").row["token"] == first.strip()
    mode = (commands.data_dir / "admin.token").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_the_strategy_is_shown_and_changed(commands):
    assert commands.good("strategy").out == "capacity_weighted\n"
    commands.good("strategy", "fill_first")
    assert commands.good("strategy", "--json").row == {"strategy": "fill_first"}
    assert commands("strategy", "lottery").status == 2


def test_rules_about_tools_are_shown_and_changed(commands):
    assert commands.good("tools").out == "None.\n"
    rules = ["refuse web_search", "pass mcp* surface=v1 accounts=api_key"]
    assert commands.good("tools", *rules).out.splitlines() == rules
    assert commands.good("tools", "--json").row == {"tools": rules}
    assert "pass|strip|refuse" in commands("tools", "web_search").err
    commands.good("keys", "create", "--name", "k", "--tool", rules[0])
    assert commands.good("keys", "show", "k", "--json").row["tools"] == rules[:1]
    commands.good("keys", "update", "k", "--tool", "")
    assert commands.good("keys", "show", "k", "--json").row["tools"] == []
    assert commands.good("tools", "--clear").out == "None.\n"


def test_aliases_are_shown_and_changed(commands):
    assert commands.good("aliases", "nano=mini").out == "nano=mini\n"
    assert "is an alias" in commands("aliases", "a=b", "b=c").err
    commands.good("keys", "create", "--name", "k", "--alias", "a=b", "--alias", "c=b")
    row = commands.good("keys", "show", "k", "--json").row
    assert row["aliases"] == ["a=b", "c=b"]
    assert commands.good("aliases", "--json").row == {"aliases": ["nano=mini"]}


def test_every_command_but_the_serving_ones_speaks_json():
    def leaves(group):
        for command in group.commands.values():
            if hasattr(command, "commands"):
                yield from leaves(command)
            else:
                yield command

    silent = {
        command.name
        for command in leaves(main)
        if not any("--json" in option.opts for option in command.params)
    }
    assert silent == {"serve", "demo"}
