"""`run.py completion`, and what the Tab key offers."""

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from gateway.cli.guide.completion import SHELLS, script
from gateway.cli.guide.stored_names import LONGEST_WAIT
from run import main

FILES = {
    "bash": ".local/share/bash-completion/completions/run.py",
    "zsh": ".zfunc/_run.py",
    "fish": ".config/fish/completions/run.py.fish",
}
PLAIN = {"XDG_DATA_HOME": None, "XDG_CONFIG_HOME": None}


def offered(commands, monkeypatch, *typed):
    """What is offered for the last word."""
    for name, value in commands.env.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    shell = ShellComplete(main, {}, "run.py", "_RUN_PY_COMPLETE")
    *before, last = typed
    return [one.value for one in shell.get_completions(before, last)]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_put_where_the_shell_looks_for_it_once(commands, tmp_path, shell):
    path = tmp_path / FILES[shell]
    row = commands.good("completion", "install", shell, "--json", **PLAIN).row
    assert (row["file"], row["is_new"]) == (str(path), True)
    assert path.read_text() == script(shell)
    assert commands.good("completion", "show", shell).out == script(shell) + "\n"
    own = commands("completion", "install", **PLAIN, SHELL=f"/usr/bin/{shell}")
    assert own.out.startswith(f"Up to date: {path}\n")


def test_a_file_of_another_s_is_kept_and_one_of_ours_is_renewed(commands, tmp_path):
    path = tmp_path / FILES["fish"]
    path.parent.mkdir(parents=True)
    path.write_text("# mine")
    done = commands("completion", "install", "fish", **PLAIN)
    assert (done.status, path.read_text()) == (1, "# mine")
    assert "--force replaces it" in done.err
    assert "what `run.py completion show fish` prints elsewhere" in done.err
    assert "another file" not in done.err
    path.write_text(script("fish") + "# of an older release")
    commands.good("completion", "install", "fish", **PLAIN)
    assert path.read_text() == script("fish")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_shell_that_is_not_known_is_asked_for(commands):
    done = commands("completion", "install", **PLAIN, SHELL="/bin/tcsh")
    assert (done.status, "Say which shell: bash, zsh, fish." in done.err) == (2, True)


@pytest.mark.parametrize(
    ("typed", "some"),
    [
        (("",), {"keys", "accounts", "help", "completion"}),
        (("keys", "ro"), {"rotate"}),
        (("keys", "create", "--enf"), {"--enforce-model", "--enforce-effort"}),
        (("logs", "--status", "e"), {"error"}),
        (("strategy", ""), {"round_robin"}),
    ],
)
def test_commands_options_and_choices_are_completed(commands, monkeypatch, typed, some):
    assert some <= set(offered(commands, monkeypatch, *typed))


def test_names_are_completed_from_the_database(commands, monkeypatch, auth_file):
    assert offered(commands, monkeypatch, "keys", "show", "") == []
    assert not commands.data_dir.exists()
    for name in ("laptop", "lab", "two words", "team"):
        commands.good("keys", "create", name)
    commands.good("accounts", "import", auth_file("ada"))
    for typed in (("keys", "show"), ("keys", "disable"), ("logs", "--key")):
        assert offered(commands, monkeypatch, *typed, "la") == ["lab", "laptop"]
    for typed in (("accounts", "pause"), ("accounts", "probe"), ("usage", "--account")):
        assert offered(commands, monkeypatch, *typed, "") == ["ada@demo.example"]


@pytest.mark.parametrize(
    "url", ["mysql://x", "sqlite:///", "postgresql://u:p@192.0.2.1/x", "no url"]
)
def test_a_database_that_cannot_be_read_offers_nothing_soon(
    commands, monkeypatch, capfd, url
):
    commands.env["GATEWAY_DATABASE_URL"] = url
    started = time.monotonic()
    assert offered(commands, monkeypatch, "keys", "show", "") == []
    assert time.monotonic() - started < LONGEST_WAIT + 5  # not the 75 s of TCP
    assert capfd.readouterr() == ("", "")


@pytest.mark.operator
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_bash_completes_with_the_installed_script(commands):
    root = Path(__file__).resolve().parents[3]
    commands.good("completion", "install", "bash", **PLAIN)
    commands.good("keys", "create", "laptop")
    typed = f"""
        source ~/{FILES["bash"]}
        COMP_WORDS=(./run.py keys show la); COMP_CWORD=3
        _runpy_completion ./run.py; echo "${{COMPREPLY[@]}}"
    """
    env = os.environ | {n: v for n, v in commands.env.items() if v is not None}
    env["PATH"] = f"{root / '.venv' / 'bin'}:{env['PATH']}"
    done = subprocess.run(
        ["bash", "-c", typed], env=env, cwd=root, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("laptop\n", "")
