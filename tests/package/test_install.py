"""The wheel: what is in it, and that it serves where it is installed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.package, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = [f"3.{minor}" for minor in range(11, 15)]
DEMO_SECONDS = 60


def run(*command, **env):
    """Run a command to its end; its output."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, env=os.environ | env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip_install(python, *wanted):
    run(python, "-m", "pip", "install", "--quiet", *wanted)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A folder with the wheel and the sdist of a tree that git has."""
    tree, folder = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    for name in run("git", "-C", ROOT, "ls-files", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    tools = venv(sys.executable, folder / "tools")
    pip_install(tools, "build")
    run(tools, "-m", "build", "--outdir", folder, tree)
    return folder


@pytest.fixture(scope="session")
def wheel(built):
    (found,) = built.glob("*.whl")
    return found


def venv(interpreter, folder):
    """The interpreter of a fresh environment."""
    run(interpreter, "-m", "venv", folder)
    return folder / "bin" / "python"


def demo(*command, **env):
    """Run the demo until it has shown its turn; all it printed."""
    process = subprocess.Popen(
        [*map(str, command), "demo", "--port", "0"],
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C ends it"):
                process.send_signal(signal.SIGINT)
        assert process.wait(DEMO_SECONDS) == 0, "".join(lines)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()
    return "".join(lines)


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
    home = {"GATEWAY_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": ""}
    assert re.fullmatch(r"codexgate \d+\.\d+\.\d+\n", run(command, "--version", **home))
    assert "`codexgate keys create" in run(command, "keys", "list", **home)
    assert "## Keys" in run(command, "help", "limits", **home)
    assert "-F _codexgate_completion codexgate" in run(
        command, "completion", "show", "bash", **home
    )


@pytest.mark.parametrize("tool", ["pipx", "uv"])
def test_the_tools_of_users_install_it(wheel, tmp_path, tool):
    tools = venv(sys.executable, tmp_path / "tools")
    pip_install(tools, tool)
    where = tools.parent
    if tool == "uv":
        uvx = [where / "uvx", "--no-python-downloads", "--python", sys.executable]
        home = {"UV_CACHE_DIR": str(tmp_path / "cache")}
        shown = demo(*uvx, "--from", wheel, "codexgate", **home)
    else:
        home = {"PIPX_HOME": str(tmp_path / "home"), "PIPX_BIN_DIR": str(tmp_path)}
        run(where / "pipx", "install", "--quiet", wheel, **home)
        shown = demo(tmp_path / "codexgate")
    assert "< response.completed" in shown
