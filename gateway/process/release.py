"""Which release this is."""

import tomllib
from importlib import metadata
from pathlib import Path

from gateway.settings import PACKAGE, PROGRAM


def version() -> str:
    """As pyproject.toml has it."""
    if PROGRAM == PACKAGE:
        return metadata.version(PACKAGE)
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    return str(tomllib.loads(project.read_text())["project"]["version"])
