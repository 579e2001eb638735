"""The wheel: what is in it, and that it serves where it is installed."""

import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tests.package.environments import ROOT, demo, pip_install, run, venv

pytestmark = [pytest.mark.package, pytest.mark.timeout(600)]

VERSIONS = [f"3.{minor}" for minor in range(11, 15)]


def test_the_wheel_has_one_name_at_its_top(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"codexgate"}
    app = "codexgate/app/"
    shipped = {name.removeprefix(app) for name in names if name.startswith(app)}
    tracked = run(
        "git", "-C", ROOT, "ls-files", "gateway", "handlers", "schemas", "docs"
    )
    assert shipped == {*tracked.split(), "run.py", "README.md"}


def test_the_sdist_has_the_sources_in_their_place(built):
    (sdist,) = built.glob("*.tar.gz")
    names = run("tar", "tzf", sdist).split()
    inside = {name.partition("/")[2] for name in names}
    assert {"run.py", "gateway/app.py", "handlers/routes.py", "LICENSE"} <= inside
    assert not {name for name in inside if name.startswith(("tests/", "."))} - {
        ".gitignore"
    }


def interpreters():
    """This interpreter always; in nightly runs each other one that is found."""
    for version in VERSIONS:
        is_this = version == f"3.{sys.version_info.minor}"
        yield pytest.param(version, marks=() if is_this else pytest.mark.nightly)


def find_interpreter(version):
    """On the path, or one that uv has installed; None when there is none."""
    if version == f"3.{sys.version_info.minor}":
        return sys.executable
    uv = shutil.which("uv") or Path(sys.executable).with_name("uv")
    offline = {"UV_PYTHON_DOWNLOADS": "never"}
    for name in (shutil.which(f"python{version}"), uv):
        find = ("-c", "import ensurepip, sys; print(sys.executable)")
        if name == uv:
            find = ("python", "find", version)
        try:
            return run(name or "", *find, **offline).strip()
        except (AssertionError, OSError):
            continue
    return None


@pytest.mark.parametrize("version", [*interpreters()])
def test_pip_installs_a_gateway_that_serves(wheel, tmp_path, version):
    """Beside another package named `gateway`, which is found before others."""
    interpreter = find_interpreter(version)
    if interpreter is None:
        pytest.skip(f"no Python {version} on this machine, neither of uv's")
    python = venv(interpreter, tmp_path / "env")
    pip_install(python, wheel)
    foreign = tmp_path / "foreign" / "gateway"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("raise SystemExit('the other gateway')")
    command = python.with_name("codexgate")
    shown = demo(command, PYTHONPATH=str(foreign.parent))
    assert "< response.completed" in shown
    assert f" {command} logs\n" in shown  # as it can be typed: it is on no path
    home = {"GATEWAY_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": ""}
    assert re.fullmatch(r"codexgate \d+\.\d+\.\d+\n", run(command, "--version", **home))
    assert "`codexgate keys create" in run(command, "keys", "list", **home)
    assert "## Keys" in run(command, "help", "limits", **home)
    assert "-F _codexgate_completion codexgate" in run(
        command, "completion", "show", "bash", **home
    )
