"""The package `codexgate` of an installed gateway: its command, before anything else.

The sources lie beside this module as they lie in a clone, and are found first: another
package that is called `gateway` or `schemas` is none of ours.
"""

import runpy
import sys
from pathlib import Path


def launch() -> None:
    """The command `codexgate`, which is run.py by another name."""
    app = Path(__file__).with_name("app")
    sys.path.insert(0, str(app))
    runpy.run_path(str(app / "run.py"), run_name="__main__")
