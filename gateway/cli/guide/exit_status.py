"""The exit statuses of all commands."""

from enum import IntEnum


class ExitStatus(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130  # 128 and SIGINT, as shells have it


# As docs/operating.md has it.
MEANINGS = {
    ExitStatus.DONE: (
        "done; for `serve`, `demo` and `status --watch`: ended by a signal, as meant"
    ),
    ExitStatus.FAILED: (
        "it failed: what was named is not there, a value is refused, a check failed, "
        "a file exists, the database or the gateway does not answer"
    ),
    ExitStatus.USAGE: (
        "what was typed, or a setting, cannot be meant: nothing was begun"
    ),
    ExitStatus.INTERRUPTED: "ended by Ctrl-C",
}
