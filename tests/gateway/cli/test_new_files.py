"""Files that commands write: for their owner alone, and nothing lost by surprise."""

import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.cli.commands import read_all

ROOT = Path(__file__).resolve().parents[3]
WRITING = [("export", "--output"), ("backup",)]
each_command = pytest.mark.parametrize("command", WRITING, ids=lambda words: words[0])


@pytest.fixture(autouse=True)
def lax_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def beside(path):
    return [one.name for one in path.parent.iterdir() if one.name.startswith(".")]


@each_command
def test_a_file_is_its_owners_alone_and_replaced_only_when_told(
    commands, tmp_path, command
):
    path = tmp_path / "taken"
    path.write_text("mine")
    path.chmod(0o644)
    refused = commands(*command, path)
    assert refused.status == 1
    assert refused.err == (
        f"Error: {path} exists already: --force replaces it, or name another file\n"
    )
    assert path.read_text() == "mine"
    commands.good(*command, path, "--force")
    assert path.read_bytes() != b"mine"
    assert mode(path) == 0o600
    assert not beside(path)


@each_command
@pytest.mark.parametrize("forced", [(), ("--force",)])
@pytest.mark.parametrize("target", ["there", "missing"])
def test_no_link_is_followed(commands, tmp_path, command, forced, target):
    (tmp_path / "there").write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / target)
    refused = commands(*command, link, *forced)
    assert (refused.status, "is a link" in refused.err) == (1, True)
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "missing").exists()
    assert link.is_symlink()


@each_command
@pytest.mark.parametrize("forced", [(), ("--force",)])
def test_what_is_no_file_and_what_is_nowhere_is_refused(
    commands, tmp_path, command, forced
):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, words in (
        (tmp_path, "no regular file"),
        (pipe, "no regular file"),
        (Path("/dev/null"), "no regular file"),
        (tmp_path / "none" / "x", f"{tmp_path / 'none'} is no folder: make it first"),
        (Path("/proc/x"), "/proc/x: "),
    ):
        refused = commands(*command, path, *forced)
        assert (refused.status, words in refused.err) == (1, True), refused.err
        assert refused.err.count("\n") == 1


@each_command
@pytest.mark.parametrize("name", ["gateway.db", "encryption.key", "admin.token"])
def test_what_the_gateway_lives_on_is_never_replaced(commands, command, name):
    commands.good("admin", "token")
    commands.good("accounts", "list")
    before = (commands.data_dir / name).read_bytes()
    refused = commands(*command, commands.data_dir / name, "--force")
    assert (refused.status, "is the gateway's own" in refused.err) == (1, True)
    assert (commands.data_dir / name).read_bytes() == before


def test_a_failed_export_leaves_what_was_there(commands, tmp_path):
    path = tmp_path / "log"
    path.write_text("mine")
    done = commands("export", "--output", path, "--force", "--key", "nobody")
    assert done.status == 1
    assert path.read_text() == "mine"
    assert not beside(path)


@pytest.mark.operator
@pytest.mark.parametrize(("answer", "is_replaced"), [(b"y\n", True), (b"\n", False)])
def test_a_terminal_is_asked(commands, tmp_path, answer, is_replaced):
    path = tmp_path / "log"
    path.write_text("mine")
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    env = os.environ | {n: v for n, v in commands.env.items() if v is not None}
    command = [sys.executable, ROOT / "run.py", "export", "--output", path]
    done = subprocess.run(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, check=False
    )
    os.close(theirs)
    told = read_all(ours)
    assert f"{path} exists already. Replace it? [y/N]" in told
    assert (done.returncode == 0) is is_replaced
    assert (path.read_text() != "mine") is is_replaced
