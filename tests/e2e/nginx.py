"""nginx with the shipped configuration, in front of a gateway."""

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.gateway_process import ROOT, free_port

SHIPPED = ROOT / "gateway" / "deploy" / "nginx.conf"
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

    `silence` (seconds) is what nginx puts up with where the file says nothing else.
    `certificate` (with its key, in one file) is for TLS, as the file says.
    """

    def __init__(
        self,
        binary: str,
        folder: Path,
        gateway_port: int,
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
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir()
        shipped = SHIPPED.read_text()
        changed, count = re.subn(
            r"(server 127\.0\.0\.1|listen |server_name )[^;]*;",
            lambda found: {
                "server 127.0.0.1": f"server 127.0.0.1:{gateway_port};",
                "listen ": listen,
                "server_name ": "server_name localhost;",
            }[str(found[1])],
            re.sub(r"#.*", "", shipped),
        )
        assert count == shipped.count("# yours") == 3
        (folder / "gateway.conf").write_text(changed)
        main = MAIN.format(folder=folder, silence=silence)
        (folder / "nginx.conf").write_text(main)

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(self._binary, "-p", str(self._folder), "-e", "stderr"),
            *("-c", str(self._folder / "nginx.conf")),
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
