"""Other gateways from PyPI, each in a virtual environment of its own.

They are measured as they come, without their databases; a peer that cannot be
installed is an error, not a missing column.
"""

import subprocess
import sys
from pathlib import Path

from tests.e2e.gateway_process import free_port
from tests.tools.bench.targets import Starter, Target, launch

_ENVIRONMENTS = Path.home() / ".cache" / "codex-gateway-bench"
_LITELLM = """
model_list:
  - model_name: gpt-5.5
    litellm_params:
      model: openai/gpt-5.5
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: bench
general_settings:
  master_key: sk-bench
  forward_client_headers_to_llm_api: true
"""


def litellm(upstream_port: int, folder: Path) -> Target:
    """LiteLLM's proxy with one worker; Responses over HTTP only."""
    port = free_port()
    config = folder / "litellm.yaml"
    config.write_text(_LITELLM.format(upstream=upstream_port))
    command = _installed("litellm", "litellm[proxy]")
    arguments = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    target = launch(
        "litellm",
        [str(command), *arguments],
        port,
        log=folder / "litellm.log",
        environment=quiet,
    )
    target.path = "/v1/responses"
    target.headers["authorization"] = "Bearer sk-bench"
    target.has_sockets = False
    return target


def _installed(command: str, requirement: str) -> Path:
    """The command's path, after installing it on first use (minutes)."""
    home = _ENVIRONMENTS / command
    path = home / "bin" / command
    if not path.exists():
        python = home / "bin" / "python"
        for step in (
            [sys.executable, "-m", "venv", str(home)],
            [str(python), "-m", "pip", "install", "-q", requirement],
        ):
            subprocess.run(step, check=True)
    return path


STARTERS: dict[str, Starter] = {"litellm": litellm}
