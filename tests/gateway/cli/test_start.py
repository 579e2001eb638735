"""How run.py starts: settings, help, what it refuses."""

import os
import re
import shutil
import stat
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli.base import connected_database
from gateway.cli.serve import start_screen
from gateway.settings import Settings
from gateway.sign_in import links
from gateway.sign_in.account_rows import add_user
from gateway.sign_in.users import Role
from run import main
from tests.gateway.cli.commands import command_tree

ROOT = Path(__file__).resolve().parents[3]


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


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://u:sesame@h:1", "http://u:sesame@h", "http://u:sesame@:1", "h:1"),
        *("http://u:sesame@h:99999", "socks5://u:sesame@h:1/x", "http://[u:sesame@h:1"),
        *("socks5://u:ses%0aame@h:1", "socks5://u:" + "sesame" * 50 + "@h:1"),
    ],
)
def test_a_proxy_s_url_is_checked_and_never_printed(commands, url):
    done = commands("keys", "list", GATEWAY_EGRESS_PROXY=url)
    assert (done.status, "GATEWAY_EGRESS_PROXY: " in done.err) == (2, True)
    assert "sesame" not in done.err + done.out


def test_settings_show_no_password(monkeypatch):
    monkeypatch.setenv("GATEWAY_EGRESS_PROXY", "socks5://u:sesame@h:1080")
    assert "sesame" not in repr(Settings.from_env(dotenv=os.devnull))


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, ["http://127.0.0.1:8080", "this machine only", "accounts login", "/gate"]),
        ({"GATEWAY_HOST": "::1"}, ["http://[::1]:8080"]),
        ({"GATEWAY_PROT": "1"}, ["  ignored   GATEWAY_PROT in", "GATEWAY_PORT?"]),
        ({"GATEWAY_PUBLIC_URL": "https://gw.example"}, [" https://gw.example\n"]),
    ],
)
def test_a_start_tells_where_it_is_and_what_is_missing(
    monkeypatch, tmp_path, env, words
):
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path / "gate"))
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    screen = start_screen(Settings.from_env(dotenv=os.devnull), on_terminal=False)(8080)
    for word in words:
        assert word in screen


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "gateway.example"])
def test_a_start_on_a_reachable_address_names_the_first_key(
    commands, auth_file, monkeypatch, host
):
    commands.good("accounts", "import", str(auth_file("ada")))
    for name, value in (commands.env | {"GATEWAY_HOST": host}).items():
        if value is not None:
            monkeypatch.setenv(name, value)
    settings = Settings.from_env(dotenv=os.devnull)
    assert "`run.py keys create NAME`" in start_screen(settings, on_terminal=False)(1)
    commands.good("keys", "create", "--name", "first")
    screen = start_screen(settings, on_terminal=False)(1)
    assert "keys create" not in screen
    assert "  keys      1\n" in screen
    assert "  accounts  1 active\n" in screen


def test_a_start_has_the_first_users_link_on_a_terminal_only(commands, monkeypatch):
    for name, value in commands.env.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    settings = Settings.from_env(dotenv=os.devnull)
    service = start_screen(settings, on_terminal=False)(2455)
    assert "`run.py dashboard link` prints the link for its first user" in service
    assert "/dashboard/" not in service
    terminal = start_screen(settings, on_terminal=True)(2455)
    link = r"  dashboard http://127\.0\.0\.1:2455/dashboard/link#([\w-]{43})\n"
    found = re.search(link, terminal)
    closed = replace(settings, dashboard="off")
    assert "  dashboard off\n" in start_screen(closed, on_terminal=True)(2455)
    with connected_database(settings):
        assert links.user_of_link(found[1], time.time()) is None
        add_user("ada", Role.OWNER, "a hash")
    done = start_screen(settings, on_terminal=True)(2455)
    assert "  dashboard http://127.0.0.1:2455/dashboard/\n" in done


@pytest.mark.parametrize("has_venv", [False, True])
def test_without_its_packages_it_says_which_command_to_use(tmp_path, has_venv):
    python = tmp_path / ".venv" / "bin" / "python"
    if has_venv:
        python.parent.mkdir(parents=True)
        python.touch()
    for name in ("run.py", "gateway/cli/guide/missing_packages.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    bare = [sys.executable, "-S", str(tmp_path / "run.py"), "keys", "list"]
    done = subprocess.run(bare, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("No module named")
    assert ("pip install -r" in done.stderr) is not has_venv
    assert f"start it with {python} {tmp_path / 'run.py'} keys list" in done.stderr


TOOLS = sorted((ROOT / "tests" / "tools").glob("[!f]*/__main__.py"))  # fuzz asks more


@pytest.mark.operator
@pytest.mark.parametrize("tool", TOOLS, ids=lambda path: path.parent.name)
def test_a_tool_without_its_packages_says_which_command_to_use(tool):
    words = ["-m", f"tests.tools.{tool.parent.name}", "--quick"]
    bare = [Path(sys.base_prefix) / "bin" / "python3", "-S", *words]
    done = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("No module named")
    assert f"start it with {ROOT}/.venv/bin/python -m tests.tools" in done.stderr
    assert done.stderr.endswith(" --quick\n")


def test_run_py_can_be_executed():
    assert os.access(ROOT / "run.py", os.X_OK)
    assert (ROOT / "run.py").read_text().startswith("#!/usr/bin/env python3\n")


def test_the_version_is_that_of_the_project(commands):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert commands.good("--version").out == f"codexgate {project['version']}\n"


def test_a_database_that_cannot_be_used_is_one_clear_line(commands):
    done = commands("keys", "list", GATEWAY_DATABASE_URL="mysql://x/y")
    assert (done.status, done.err.startswith("Error: The database URL")) == (1, True)
    done = commands("keys", "list", GATEWAY_DATABASE_URL="sqlite:////proc/none/x.db")
    assert (done.status, done.err.count("\n")) == (1, 1)


def test_a_database_that_does_not_answer_is_told_with_its_reason(commands):
    url = "postgresql://user:secret@127.0.0.1:1/gateway"
    done = commands("keys", "list", GATEWAY_DATABASE_URL=url)
    assert done.status == 1
    assert "(GATEWAY_DATABASE_URL): " in done.err
    assert "refused" in done.err
    assert "secret" not in done.err


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
    assert f"tools: none → {', '.join(rules)}" in commands.good("tools", *rules).out
    assert commands.good("tools").out.splitlines() == rules
    assert commands.good("tools", "--json").row == {"tools": rules}
    assert "pass|strip|refuse" in commands("tools", "web_search").err
    commands.good("keys", "create", "--name", "k", "--tool", rules[0])
    assert commands.good("keys", "show", "k", "--json").row["tools"] == rules[:1]
    commands.good("keys", "update", "k", "--tool", "")
    assert commands.good("keys", "show", "k", "--json").row["tools"] == []
    assert "web_search, pass" in commands.good("tools", "--clear").out
    assert commands.good("tools").out == "None.\n"


def test_aliases_are_shown_and_changed(commands):
    assert "none → nano=mini" in commands.good("aliases", "nano=mini").out
    assert commands.good("aliases").out == "nano=mini\n"
    assert "is an alias" in commands("aliases", "a=b", "b=c").err
    commands.good("keys", "create", "--name", "k", "--alias", "a=b", "--alias", "c=b")
    row = commands.good("keys", "show", "k", "--json").row
    assert row["aliases"] == ["a=b", "c=b"]
    assert commands.good("aliases", "--json").row == {"aliases": ["nano=mini"]}


def test_every_command_but_the_serving_ones_speaks_json():
    silent = {
        path
        for path, command in command_tree(main).items()
        if not hasattr(command, "commands")
        and not any("--json" in option.opts for option in command.params)
    }
    assert silent == {"serve", "demo", "help", "completion show"}


def test_ctrl_c_while_modules_are_imported_ends_without_a_traceback(tmp_path):
    (tmp_path / "environs.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "run.py", "status"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "")
