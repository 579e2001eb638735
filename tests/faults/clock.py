"""Runs run.py on a wall clock that a test moves: `python -m tests.faults.clock FILE`.

The file holds the seconds to add, as text. What does not go back stays as it is.
"""

import runpy
import sys
import time
from pathlib import Path


def main() -> None:
    offset = Path(sys.argv[1])
    real, real_ns = time.time, time.time_ns

    def seconds() -> float:
        try:
            return float(offset.read_text() or 0)
        except OSError:
            return 0.0

    time.time = lambda: real() + seconds()
    time.time_ns = lambda: real_ns() + round(seconds() * 1e9)
    sys.argv[:] = ["run.py", *sys.argv[2:]]
    runpy.run_path("run.py", run_name="__main__")


if __name__ == "__main__":
    main()
