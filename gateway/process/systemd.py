"""What the service manager is told of the process (sd_notify(3))."""

import os
import socket

READY = "READY=1"
STOPPING = "STOPPING=1"


def notify(state: str) -> None:
    """Tell whoever asked to be told; nobody did, or is there any more: no matter."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # no file, a name of the kernel's
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:
        telling.setblocking(False)
        try:
            telling.sendto(state.encode(), address)
        except OSError:
            return


def succeeded_by(pid: int) -> str:
    """The state of a process whose service another one goes on with."""
    return f"MAINPID={pid}"
