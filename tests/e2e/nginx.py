"""nginx with the shipped configuration, in front of a gateway."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.gateway_process import ROOT, free_port

SHIPPED = ROOT / "gateway" / "deploy" / "nginx.conf"
SHIPPED_FOR_MANY = SHIPPED.with_name("nginx-cluster.conf")
MAIN = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    proxy_read_timeout {silence}s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/gateway.conf;
}}
"""


def find_nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")


def version_of(binary: str) -> str:
    """As in "1.22"."""
    told = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True)
    found = re.search(r"nginx/(\d+\.\d+)", told.stderr)
    return found[1] if found else ""


class Nginx:
    """nginx with the shipped file; only the lines marked "yours" are changed.

    Several ports: the file for several processes. `silence` (seconds) is what nginx
    puts up with where the file says nothing else.
    `certificate` (with its key, in one file) is for TLS, as the file says.
    """

    def __init__(
        self,
        binary: str,
        folder: Path,
        gateway_ports: int | Sequence[int],
        *,
        silence: int = 60,
        certificate: Path | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        listen = f"listen 127.0.0.1:{self.port};"
        if certificate is not None:
            listen = f"{listen[:-1]} ssl; ssl_certificate {certificate};"
            listen += f" ssl_certificate_key {certificate};"
        self._binary = binary
        self.folder = folder
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir()
        (folder / "gateway.conf").write_text(_changed(gateway_ports, listen))
        main = MAIN.format(folder=folder, silence=silence)
        (folder / "nginx.conf").write_text(main)

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(self._binary, "-p", str(self.folder), "-e", "stderr"),
            *("-c", str(self.folder / "nginx.conf")),
            stdin=asyncio.subprocess.DEVNULL,
        )
        for _ in range(200):
            assert self._process.returncode is None, "nginx did not start"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return
        pytest.fail("nginx does not listen")

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


def _changed(ports: int | Sequence[int], listen: str) -> str:
    """The shipped file with this machine's values in the lines marked "yours"."""
    shipped = (SHIPPED if isinstance(ports, int) else SHIPPED_FOR_MANY).read_text()
    servers = iter([ports] if isinstance(ports, int) else ports)
    yours = {
        "listen ": lambda _: listen,
        "server_name ": lambda _: "server_name localhost;",
        "server 127.0.0.1": lambda rest: f"server 127.0.0.1:{next(servers)}{rest};",
    }
    changed, count = re.subn(
        r"(?m)^( *)(server 127\.0\.0\.1|listen |server_name )(?::\d+)?([^;#]*);"
        r".*# yours.*",
        lambda found: str(found[1]) + yours[str(found[2])](str(found[3])),
        shipped,
    )
    assert count == len(re.findall(r"(?m)^[^#\n]*;.*# yours", shipped))
    assert next(servers, None) is None, "as many processes as the file names"
    return changed
