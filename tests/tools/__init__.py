"""Tools that are run by hand; without their packages they say what to type."""

import sys

from gateway.cli.guide.missing_packages import advice


def tell(kind, error, traceback):
    """What a missing package means, in place of a traceback."""
    if issubclass(kind, ModuleNotFoundError):
        words = sys.orig_argv[sys.orig_argv.index("-m") :]
        sys.stderr.write(advice(error, words, "tests/requirements.txt") + "\n")
    else:
        sys.__excepthook__(kind, error, traceback)


if sys.argv[0] == "-m":  # Python looks for the tool: it is no test that imports it
    sys.excepthook = tell
