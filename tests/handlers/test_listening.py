"""An address that cannot be had: the error names the settings and the remedy."""

import errno
import os
import socket

import pytest

from handlers.listening import CannotListen


def told(error, host, port=2455):
    return str(CannotListen(host, port, error))


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EADDRINUSE, "set GATEWAY_PORT"),
        (errno.EACCES, "ports below 1024"),
        (errno.EADDRNOTAVAIL, "0.0.0.0"),
        (errno.EPERM, "GATEWAY_HOST is an address"),
    ],
)
def test_each_cause_has_its_remedy(number, remedy):
    text = told(OSError(number, os.strerror(number)), host="192.0.2.7", port=80)
    assert text.startswith(f"192.0.2.7 port 80: {os.strerror(number)}; ")
    assert remedy in text


def test_a_name_that_nobody_knows_is_the_host_s():
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    text = told(unknown, host="gateway.example")
    assert text.startswith("gateway.example port 2455: Name or service not known; ")
    assert "GATEWAY_HOST" in text
