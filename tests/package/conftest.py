"""The wheel and the sdist, built once for all processes of a run."""

import fcntl
import shutil
import sys

import pytest

from tests.company import locked
from tests.package.environments import ROOT, pip_install, run, venv


@pytest.fixture(scope="session")
def built(tmp_path_factory, request):
    """A folder with the wheel and the sdist of a tree that git has."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # of the whole run
    with locked(folder / "build.lock", fcntl.LOCK_EX):
        if not (folder / "dist").exists():
            build(folder)
    return folder / "dist"


def build(folder):
    tree = folder / "tree"
    for name in run("git", "-C", ROOT, "ls-files", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    tools = venv(sys.executable, folder / "tools")
    pip_install(tools, "build")
    run(tools, "-m", "build", "--outdir", folder / "made", tree)
    (folder / "made").rename(folder / "dist")


@pytest.fixture(scope="session")
def wheel(built):
    (found,) = built.glob("*.whl")
    return found
