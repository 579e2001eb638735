"""The tools by which users install programs."""

import sys

import pytest

from tests.package.environments import demo, pip_install, run, venv

pytestmark = [pytest.mark.package, pytest.mark.timeout(600)]


@pytest.mark.parametrize("tool", ["pipx", "uv"])
def test_the_tools_of_users_install_it(wheel, tmp_path, tool):
    tools = venv(sys.executable, tmp_path / "tools")
    pip_install(tools, tool)
    where = tools.parent
    if tool == "uv":
        uvx = [where / "uvx", "--no-python-downloads", "--python", sys.executable]
        home = {"UV_CACHE_DIR": str(tmp_path / "cache")}
        shown = demo(*uvx, "--from", wheel, "codexgate", **home)
        # What uvx puts on the path is there for this one command.
        assert "/bin/codexgate logs\n" in shown
    else:
        home = {"PIPX_HOME": str(tmp_path / "home"), "PIPX_BIN_DIR": str(tmp_path)}
        run(where / "pipx", "install", "--quiet", wheel, **home)
        shown = demo(tmp_path / "codexgate")
    assert "< response.completed" in shown
