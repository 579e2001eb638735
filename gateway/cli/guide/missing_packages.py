"""What to type where a program was started without its packages. Needs none."""

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def advice(error: ImportError, words: Sequence[str], requirements: str) -> str:
    """The command that works, or those that make it; `words` follow the interpreter."""
    python = ROOT / ".venv" / "bin" / "python"
    install = f"{python} -m pip install -r {ROOT / requirements}"
    start = f"start it with {python} {' '.join(words)}"
    if sys.executable == str(python):
        return f"{error}: {install}"
    if python.exists():
        return f"{error}: {start}"
    make = f"python3 -m venv {ROOT / '.venv'}"
    return f"{error}. First:\n  {make}\n  {install}\nthen {start}"
