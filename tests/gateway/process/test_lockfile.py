"""One gateway for each data directory, found by those who look for it."""

import multiprocessing
import os
import stat

import pytest

from gateway.process.admin_token import admin_token, is_token
from gateway.process.lockfile import (
    AlreadyRunning,
    RunningGateway,
    find_running,
    lock_data_dir,
)
from gateway.secret import Secret


def test_a_gateway_is_found_while_it_runs_and_not_after(tmp_path):
    assert find_running(tmp_path) is None
    with lock_data_dir(tmp_path) as lock:
        lock.publish(RunningGateway(os.getpid(), "0.0.0.0", 2455))
        found = find_running(tmp_path)
        assert found is not None
        assert (found.port, found.url) == (2455, "http://127.0.0.1:2455")
    assert find_running(tmp_path) is None


def _hold_and_die(data_dir, published):
    with lock_data_dir(data_dir) as lock:
        lock.publish(RunningGateway(os.getpid(), "127.0.0.1", 1))
        published.set()
        os._exit(9)


def test_a_gateway_that_was_killed_is_not_found(tmp_path):
    context = multiprocessing.get_context("fork")
    published = context.Event()
    process = context.Process(target=_hold_and_die, args=(tmp_path, published))
    process.start()
    assert published.wait(10)
    process.join(10)
    assert find_running(tmp_path) is None


def test_a_second_gateway_is_refused_and_told_of_the_first(tmp_path):
    with lock_data_dir(tmp_path) as lock:
        lock.publish(RunningGateway(os.getpid(), "127.0.0.1", 2455))
        with (
            pytest.raises(AlreadyRunning, match="port 2455"),
            lock_data_dir(tmp_path, timeout=0),
        ):
            pass


def test_a_lock_is_handed_over_without_a_moment_in_which_it_is_free(tmp_path):
    with lock_data_dir(tmp_path) as lock:
        lock.publish(RunningGateway(os.getpid(), "127.0.0.1", 2455))
        handed = os.dup(lock.fileno())
        with lock_data_dir(tmp_path, handed) as taken:
            # It does not serve yet, and the other one does.
            assert find_running(tmp_path).port == 2455
            taken.publish(RunningGateway(os.getpid(), "127.0.0.1", 2456))
            assert find_running(tmp_path).port == 2456
        # Whoever closes first: the other one holds it.
        with pytest.raises(AlreadyRunning):
            lock_data_dir(tmp_path, timeout=0).__enter__()
    assert find_running(tmp_path) is None


def test_a_lock_of_another_directory_is_no_use(tmp_path):
    with lock_data_dir(tmp_path / "old") as lock:
        handed = os.dup(lock.fileno())
        with lock_data_dir(tmp_path / "new", handed):
            assert find_running(tmp_path / "new", timeout=0).pid == os.getpid()
            assert find_running(tmp_path / "old", timeout=0).pid == os.getpid()
        assert find_running(tmp_path / "new") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"pid": 5, "host": "", "port": 80}', RunningGateway(5, "", 80)),
        ('{"pid": 5, "port": 80, "newer": 1}', RunningGateway(5, "", 80)),
        ("[]", RunningGateway(0)),
        ("half a li", RunningGateway(0)),
    ],
)
def test_what_another_release_or_a_crash_wrote_is_read(tmp_path, text, found):
    with lock_data_dir(tmp_path):
        (tmp_path / "gateway.lock").write_text(text)
        assert find_running(tmp_path, timeout=0) == found


def test_an_ipv6_address_becomes_a_url():
    assert RunningGateway(1, "::1", 80).url == "http://[::1]:80"
    assert RunningGateway(1, "::", 80).url == "http://127.0.0.1:80"


def test_the_admin_token_is_made_once_and_for_its_owner_alone(tmp_path):
    token = admin_token(tmp_path / "new")
    path = tmp_path / "new" / "admin.token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert admin_token(tmp_path / "new") == token
    assert len(token.reveal()) > 40
    assert [p.name for p in path.parent.iterdir()] == ["admin.token"]


def test_an_empty_token_file_is_no_open_door(tmp_path):
    (tmp_path / "admin.token").write_text("\n")
    with pytest.raises(OSError, match="empty"):
        admin_token(tmp_path)


def test_only_the_token_itself_is_the_token():
    token = Secret("abc")
    assert is_token("abc", token)
    for other in (None, "", "ab", "abcd", "äbc", "\udcff"):
        assert not is_token(other, token)
