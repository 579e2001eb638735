"""The units for systemd, as systemd itself reads them."""

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from gateway.cluster.handover import HANDOVER_TIMEOUT
from gateway.settings import Settings

DEPLOY = Path(__file__).parents[3] / "gateway" / "deploy"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def units(tmp_path):
    """The shipped units in a folder, with a program that exists on this machine."""
    for name in ("gateway.service", "gateway@.service", "gateway.socket"):
        text = (DEPLOY / name).read_text()
        program = "/opt/codexgate/bin/codexgate"
        name = name.replace("@", "@2456")
        (tmp_path / name).write_text(text.replace(program, sys.executable))
    return tmp_path


services = pytest.mark.parametrize(
    "service", ["gateway.service", "gateway@2456.service"]
)


def analyze(units, *arguments):
    return subprocess.run(
        ["systemd-analyze", *arguments],
        cwd=units,
        capture_output=True,
        text=True,
        timeout=30,
    )


@needs_systemd
@services
def test_systemd_finds_nothing_wrong_with_the_units(units, service):
    done = analyze(units, "verify", f"./{service}", "./gateway.socket")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
@services
def test_the_service_is_exposed_as_little_as_possible(units, service):
    done = analyze(units, "security", "--offline=true", f"./{service}")
    if "nrecognized option" in done.stderr:
        pytest.skip("systemd is older than 250")
    level = re.search(rf"exposure level for {service}: ([\d.]+)", done.stdout)
    assert level is not None, done.stderr
    assert float(level[1]) <= 1.5


def test_systemd_waits_longer_than_the_gateway(monkeypatch):
    monkeypatch.delenv("GATEWAY_DRAIN_SECONDS", raising=False)
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / "gateway.service")
    drain = Settings.from_env(dotenv="/dev/null").drain_seconds
    assert float(unit["Service"]["TimeoutStopSec"]) > drain + 20
    assert float(unit["Service"]["TimeoutStartSec"]) > HANDOVER_TIMEOUT


def test_both_services_are_the_same_but_for_the_port():
    one = (DEPLOY / "gateway.service").read_text().partition("[Unit]")[2]
    many = (DEPLOY / "gateway@.service").read_text().partition("[Unit]")[2]
    differ = set(many.splitlines()) - set(one.splitlines())
    assert {line.partition("=")[0] for line in differ if line[:1] != "#"} == {
        "Description",
        "WorkingDirectory",
        "StateDirectory",
        "Environment",
        "EnvironmentFile",
    }
    assert len(set(one.splitlines()) - set(many.splitlines())) == len(differ) - 1


def test_nginx_of_the_containers_has_a_line_for_each_worker():
    compose = (DEPLOY / "compose.cluster.yaml").read_text()
    workers = re.search(r"GATEWAY_WORKERS: (\d+)", compose)
    nginx = (DEPLOY / "nginx-cluster.conf").read_text()
    ports = [int(one) for one in re.findall(r"server 127.0.0.1:(\d+)", nginx)]
    assert workers is not None
    assert ports == [2455 + slot for slot in range(1, int(workers[1]) + 1)]
    edit = re.search(r"sed '([^']*)' /cluster.conf", compose)
    assert edit is not None
    command = ["sed", edit[1], str(DEPLOY / "nginx-cluster.conf")]
    edited = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.findall(r"server (\S+:\d+) ", edited.stdout) == [
        f"gateway:{port}" for port in ports
    ]


def test_compose_asks_for_health_as_the_image_does():
    """An image that podman builds by itself has lost the question."""
    asked = [
        re.findall(r"urlopen\('[^)]*\)", (DEPLOY / name).read_text())
        for name in ("Containerfile", "compose.yaml")
    ]
    assert asked[0] == asked[1] != []
