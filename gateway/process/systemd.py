"""Notifications to the service manager (sd_notify(3))."""

import os
import socket

READY = "READY=1"
STOPPING = "STOPPING=1"
MAIN_PID = "MAINPID="  # and the number of the process that goes on with the service


def notify(state: str) -> None:
    """Send a state; without a service manager, or with one gone, do nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract name, not a file
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying:
        notifying.setblocking(False)
        try:
            notifying.sendto(state.encode(), address)
        except OSError:
            return
