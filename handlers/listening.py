"""Sockets that listen, bound here or by somebody else."""

import errno
import socket

from tornado.netutil import bind_sockets

BACKLOG = 1024
# Probes of an idle peer: a laptop that went away is noticed within two minutes.
TCP_KEEPALIVE = (
    ("TCP_KEEPIDLE", 60),
    ("TCP_KEEPINTVL", 15),
    ("TCP_KEEPCNT", 4),
)

# What keeps a port from being had, and what the owner does about it.
_REMEDIES = {
    errno.EADDRINUSE: "another program has that port (`ss -ltnp` shows which): end it, "
    "or set GATEWAY_PORT",
    errno.EACCES: "ports below 1024 are for root: set GATEWAY_PORT, or let a service "
    "manager hand the socket over",
    errno.EADDRNOTAVAIL: "no address of this machine: GATEWAY_HOST is one of its own, "
    "127.0.0.1 or 0.0.0.0",
}


class CannotListen(OSError):
    """The address cannot be had; the text names settings and remedy."""

    def __init__(self, host: str, port: int, cause: OSError) -> None:
        why = cause.strerror or str(cause)
        remedy = _REMEDIES.get(
            cause.errno or 0, "GATEWAY_HOST is an address, or a name"
        )
        if isinstance(cause, socket.gaierror):
            remedy = (
                "GATEWAY_HOST is an address of this machine, or a name that has one"
            )
        super().__init__(f"{host} port {port}: {why}; {remedy}")
        self.errno = cause.errno


def bind(host: str, port: int) -> list[socket.socket]:
    """Port 0 lets the kernel choose. Raises CannotListen."""
    try:
        return bind_sockets(port, host, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(host, port, error) from error


def probe_idle_peers(listening: socket.socket) -> None:
    """Accepted connections inherit these options."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in TCP_KEEPALIVE:
        if hasattr(socket, name):
            listening.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
