"""A new gateway behind the shipped nginx with TLS, and how Chromium gets there."""

import asyncio
import json
from dataclasses import replace
from ipaddress import ip_network

from tests.certificates import certificate, pin_of
from tests.dashboard.site import missing_programs
from tests.e2e.conftest import missing
from tests.e2e.gateway_process import ROOT, free_port
from tests.e2e.nginx import Nginx, find_nginx
from tests.hostile.browser import find_chromium
from tests.serving import Serving

# Other programs have to find it by name, as the browser has.
HERE = "localhost"


class SecureSite:
    """Its certificate is of an authority that nobody else knows.

    `name`: another one, by which Chromium alone finds it, without a port.
    """

    def __init__(self, folder, upstream, name=HERE):
        port, self.name = free_port(), name
        self.certificate = certificate(folder, name)
        self.nginx = Nginx(
            find_nginx(), folder / "nginx", port, certificate=self.certificate
        )
        is_here = name == HERE
        self.origin = f"https://{name}" + (f":{self.nginx.port}" if is_here else "")
        self.serving = Serving(
            upstream,
            folder,
            dashboard="on",
            public_url=self.origin,
            trusted_proxies=(ip_network("127.0.0.1"),),
        )
        self.serving.settings = replace(self.serving.settings, port=port)

    async def start(self):
        await self.serving.start()
        await self.nginx.start()

    async def stop(self):
        await self.nginx.stop()
        await self.serving.stop()

    async def browse(self, script, **told):
        """A program of node that drives Chromium, told of this site in a line."""
        mapped = f"MAP {self.name}:443 127.0.0.1:{self.nginx.port}"
        line = {
            "chromium": find_chromium(),
            "origin": self.origin,
            "arguments": [
                "--no-sandbox",  # there is none for root; the only pages are ours
                "--disable-dev-shm-usage",
                f"--ignore-certificate-errors-spki-list={pin_of(self.certificate)}",
                *([] if self.name == HERE else [f"--host-resolver-rules={mapped}"]),
            ],
            **told,
        }
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *("node", str(script)), cwd=ROOT, stdin=pipe, stdout=pipe, limit=2**24
        )
        process.stdin.write(json.dumps(line).encode() + b"\n")
        return process


def skip_without(*more):
    """Skip where a program is missing; `more`: path and name of each."""
    program = missing_programs() or ("" if find_nginx() else "nginx")
    for path, name in more:
        program = program or ("" if path else name)
    if program:
        missing(f"no {program} on this machine")
