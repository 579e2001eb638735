"""Runs run.py with few descriptors: `python -m tests.faults.few_descriptors`."""

import resource
import runpy
import sys

DESCRIPTORS = 160


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    sys.argv[:] = ["run.py", *sys.argv[1:]]
    runpy.run_path("run.py", run_name="__main__")


if __name__ == "__main__":
    main()
