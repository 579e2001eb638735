"""What a pooler does to a session: it hides the server's process behind a number."""

import shutil
import socket
import socketserver
import tempfile
import threading
from pathlib import Path


class Pooler:
    """Passes one PostgreSQL session on at a time, on a Unix socket of its own."""

    def __init__(self, server, answer=None):
        """`answer` changes what the server says; None ends the session there."""
        self.home = Path(tempfile.mkdtemp(prefix="pooler-"))
        self.url = f"postgresql://postgres@/postgres?host={self.home}"

        self.seen = bytearray()  # what clients said
        passed = self._pass_on

        class Session(socketserver.BaseRequestHandler):
            def handle(self):
                with socket.socket(socket.AF_UNIX) as upstream:
                    upstream.connect(str(server))
                    up = threading.Thread(
                        target=relay,
                        args=(self.request, upstream, passed),
                        daemon=True,
                    )
                    up.start()
                    relay(upstream, self.request, answer or hide_process)
                    up.join(1)

        self._server = socketserver.ThreadingUnixStreamServer(
            str(self.home / ".s.PGSQL.5432"), Session
        )
        self._server.daemon_threads = True

    def _pass_on(self, data):
        self.seen += data
        return data

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self.home)


def relay(source, target, change):
    while data := source.recv(65536):
        if (changed := change(data)) is None:
            break
        target.sendall(changed)
    target.shutdown(socket.SHUT_WR)


def hide_process(data):
    """Another number in BackendKeyData ("K", its length, process, secret)."""
    start = b"K\x00\x00\x00\x0c"
    before, found, after = data.partition(start)
    return before + found + b"\x00\x00\x00\x01" + after[4:] if found else data
