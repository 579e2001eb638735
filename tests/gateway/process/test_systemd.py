"""Notifications to the service manager."""

import socket

import pytest

from gateway.process import systemd


@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_the_service_manager_hears(tmp_path, monkeypatch, kind):
    name = str(tmp_path / "notify")
    address = name if kind == "file" else "\0" + name
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(5)
        shown = name if kind == "file" else "@" + name
        monkeypatch.setenv("NOTIFY_SOCKET", shown)
        systemd.notify(systemd.READY)
        systemd.notify(f"{systemd.MAIN_PID}77")
        assert manager.recv(99) == b"READY=1"
        assert manager.recv(99) == b"MAINPID=77"


@pytest.mark.parametrize("address", [None, "", "relative", "/not/there"])
def test_without_one_nothing_happens(monkeypatch, address):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    systemd.notify(systemd.STOPPING)
