"""What the doctor says: one finding for each check, with the line to change."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """`fix` is the exact line, or command, that mends it; "" where none can."""

    check: str
    level: Level
    message: str
    fix: str = ""


def ok(check: str, message: str) -> Finding:
    return Finding(check, Level.OK, message)


def warn(check: str, message: str, fix: str = "") -> Finding:
    return Finding(check, Level.WARN, message, fix)


def fail(check: str, message: str, fix: str = "") -> Finding:
    return Finding(check, Level.FAIL, message, fix)
