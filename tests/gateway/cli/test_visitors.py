"""The doctor at a gateway of an earlier release, which admits no visitors."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gateway.cli.admin_client import Client, Refused
from gateway.cli.doctor import _visitor
from gateway.cli.running.database import NeedsRestart
from gateway.secret import Secret


class Earlier(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.dumps({"error": {"code": "not_found", "message": "Not Found"}})
        self.send_response(404)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def client():
    with HTTPServer(("127.0.0.1", 0), Earlier) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Client(f"http://127.0.0.1:{server.server_port}", Secret("token"))
        server.shutdown()
        thread.join()


def test_it_says_that_the_gateway_is_to_be_restarted(client):
    with pytest.raises(NeedsRestart, match="restart it"):
        _visitor(client, None)


def test_an_account_that_is_not_there_is_told_as_that(client):
    with pytest.raises(Refused, match="Not Found"):
        _visitor(client, "nobody")
