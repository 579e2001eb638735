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
    for name in ("gateway.service", "gateway.socket"):
        text = (DEPLOY / name).read_text()
        program = "/opt/codexgate/bin/codexgate"
        (tmp_path / name).write_text(text.replace(program, sys.executable))
    return tmp_path


def analyze(units, *arguments):
    return subprocess.run(
        ["systemd-analyze", *arguments],
        cwd=units,
        capture_output=True,
        text=True,
        timeout=30,
    )


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_units(units):
    done = analyze(units, "verify", "./gateway.service", "./gateway.socket")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_the_service_is_exposed_as_little_as_possible(units):
    done = analyze(units, "security", "--offline=true", "./gateway.service")
    if "nrecognized option" in done.stderr:
        pytest.skip("systemd is older than 250")
    level = re.search(r"exposure level for gateway.service: ([\d.]+)", done.stdout)
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


def test_compose_asks_for_health_as_the_image_does():
    """An image that podman builds by itself has lost the question."""
    asked = [
        re.findall(r"urlopen\('[^)]*\)", (DEPLOY / name).read_text())
        for name in ("Containerfile", "compose.yaml")
    ]
    assert asked[0] == asked[1] != []
