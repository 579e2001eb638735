"""The servers under test and how each is started."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.demo.accounts import DemoAccount
from tests.e2e.gateway_process import free_port
from tests.tools.bench import machine

ROOT = Path(__file__).parents[3]
_START_SECONDS = 60.0  # LiteLLM alone takes half a minute

_NGINX = """
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream bench {{ server 127.0.0.1:{upstream}; keepalive 512; }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        client_max_body_size 0;
        client_body_buffer_size 16m;
        location / {{
            proxy_pass http://bench;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_buffering off;
            proxy_read_timeout 900s;
        }}
    }}
}}
"""


@dataclass(slots=True)
class Target:
    """A running server; `direct` is the upstream itself, with no process of its own."""

    name: str
    port: int
    process: subprocess.Popen[bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/backend-api/codex/responses"
    has_sockets: bool = True
    beside: subprocess.Popen[str] | None = None  # which ends with it

    def pids(self) -> list[int]:
        return machine.process_tree(self.process.pid) if self.process else []

    def stop(self) -> None:
        if self.beside is not None:
            self.beside.kill()
            self.beside.communicate()
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def launch(
    name: str,
    command: list[str],
    port: int,
    *,
    log: Path,
    environment: dict[str, str] | None = None,
) -> Target:
    """Start `command` and wait until it listens; RuntimeError when it does not."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    target = Target(name, port, process)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return target
    target.stop()
    raise RuntimeError(f"{name} does not start:\n{log.read_text()[-2000:]}")


def upstream(folder: Path) -> Target:
    port = free_port()
    command = [sys.executable, "-m", "tests.tools.bench.upstream", str(port)]
    return launch("upstream", command, port, log=folder / "upstream.log")


def nginx(upstream_port: int, folder: Path) -> Target:
    """One worker, buffering off; as root it must stay root to own its folders."""
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(
        _NGINX.format(user=user, folder=folder, port=port, upstream=upstream_port)
    )
    command = ["nginx", "-e", str(folder / "nginx.log"), "-c", str(config)]
    if Path("/usr/sbin/nginx").exists():  # often missing from a user's PATH
        command[0] = "/usr/sbin/nginx"
    return launch("nginx", command, port, log=folder / "nginx.out")


Starter = Callable[[int, Path], Target]


def relay(module: str, name: str) -> Starter:
    """A relay of one's own: a module or file that takes PORT UPSTREAM_PORT."""

    def start(upstream_port: int, folder: Path) -> Target:
        port = free_port()
        how = [module] if module.endswith(".py") else ["-m", module]
        command = [sys.executable, *how, str(port), str(upstream_port)]
        return launch(name, command, port, log=folder / "relay.log")

    return start


def gateway_of(checkout: Path) -> Starter:
    """The gateway of a checkout, this one or an earlier one, under this benchmark."""
    return lambda upstream_port, folder: _gateway(checkout, upstream_port, folder)


def _gateway(checkout: Path, upstream_port: int, folder: Path) -> Target:
    """With everything on: a key with limits, validation, affinity, log, metrics."""
    port = free_port()
    environment = {
        "GATEWAY_PORT": str(port),
        "GATEWAY_DATA_DIR": str(folder / "data"),
        "GATEWAY_UPSTREAM_BASE_URL": f"http://127.0.0.1:{upstream_port}/backend-api",
        "GATEWAY_AUTH_BASE_URL": f"http://127.0.0.1:{upstream_port}",
        "GATEWAY_SOCKETS_PER_KEY": "100000",  # all of its clients have one key
    }
    run = [sys.executable, str(checkout / "run.py")]

    def configure(*arguments: str) -> str:
        result = subprocess.run(
            [*run, *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise RuntimeError(f"run.py {' '.join(arguments)}: {result.stderr}")
        return result.stdout

    if not (folder / "data").exists():
        logins = [DemoAccount(name).write_auth_file(folder) for name in ("one", "two")]
        configure("accounts", "import", *map(str, logins))
    limits = ("--limit", "tokens 1000G/7d", "--limit", "requests 1000M/1d")
    made = configure("keys", "create", "--name", f"bench-{port}", *limits)
    key = re.search(r"sk-cgw-[\w-]+", made)
    if key is None:
        raise RuntimeError(f"run.py keys create printed no key: {made}")
    target = launch(
        "gateway", run, port, log=folder / "gateway.log", environment=environment
    )
    target.headers["authorization"] = f"Bearer {key[0]}"
    return target


def watched(start: Starter, count: int) -> Starter:
    """A gateway whose live page so many follow."""
    from tests.tools.bench import watchers  # it has the dashboard, an older one not

    def start_watched(upstream_port: int, folder: Path) -> Target:
        target = start(upstream_port, folder)
        target.beside = watchers.follow(folder / "data", target.port, count)
        return target

    return start_watched


STARTERS: dict[str, Starter] = {
    "nginx": nginx,
    "bare relay": relay("tests.tools.bench.bare_relay", "bare relay"),
    "gateway": gateway_of(ROOT),
}
