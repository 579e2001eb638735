"""The table of failures, in words: what each kind is, speaks against, and brings."""

from gateway.protocol.failure_kind import (
    CODES,
    KINDS,
    NO_SOCKET_STATUSES,
    STATUSES,
    Blame,
    FailureKind,
    Tries,
)

FAILURE_COLUMNS = ("kind", "told_by", "speaks_against", "tried_again")
_BLAMED = {
    Blame.NOTHING: "nothing",
    Blame.REQUEST: "the request",
    Blame.ACCOUNT: "the account",
    Blame.WINDOW: "a window of the account",
    Blame.BALANCE: "the account's plan or balance",
    Blame.LOGIN: "the account's token or login",
    Blame.MODEL: "the model at this account",
    Blame.SOCKETS: "WebSockets of the base URL",
    Blame.EDGE: "the way to the base URL",
    Blame.UPSTREAM: "the base URL",
    Blame.CAPACITY: "the model at the base URL",
}
_TRIED = {
    Tries.NOWHERE: "no",
    Tries.HERE: "once more here, then on every other account",
    Tries.EACH: "on every other account",
    Tries.ONCE: "once more here, then on one other account",
}
# What no code or status tells.
_OTHERWISE = {
    FailureKind.CONNECT: "no connection",
    FailureKind.CONNECTION_LOST: "a connection lost before an answer",
    FailureKind.TIMEOUT: "silence",
    FailureKind.SERVER_ERROR: "other 5xx, an error without a code",
    FailureKind.EDGE_REFUSED: "403 with a page",
    FailureKind.REFUSED: "403 with an error",
    FailureKind.MODEL: "a known sentence about the model",
    FailureKind.MODEL_LIMIT: "`usage_limit_reached` of a named limit",
    FailureKind.CLIENT: "other 4xx and codes",
    FailureKind.MID_STREAM: "anything inside an answer but limits and lost logins",
}


def failure_rows() -> list[dict[str, str]]:
    """A row for each kind of failure."""
    return [
        {
            "kind": kind.value,
            "told_by": ", ".join(_told_by(kind)),
            "speaks_against": _BLAMED[rules.blames],
            "tried_again": _tried_again(kind),
        }
        for kind, rules in KINDS.items()
    ]


def as_markdown() -> str:
    """The same for docs/errors.md."""
    titles = [name.replace("_", " ") for name in FAILURE_COLUMNS]
    lines = [titles, ["---"] * len(FAILURE_COLUMNS)]
    lines += [[row[name] for name in FAILURE_COLUMNS] for row in failure_rows()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _told_by(kind: FailureKind) -> list[str]:
    codes = [f"`{code}`" for code, meaning in CODES.items() if meaning.kind is kind]
    statuses = [
        str(status)
        for status, meaning in STATUSES.items()
        if meaning.kind is kind and status != 403
    ]
    if kind is FailureKind.NO_SOCKETS:
        listed = ", ".join(map(str, sorted(NO_SOCKET_STATUSES)))
        statuses = [f"{listed} to a handshake"]
    otherwise = [_OTHERWISE[kind]] if kind in _OTHERWISE else []
    return [*codes, *statuses, *otherwise]


def _tried_again(kind: FailureKind) -> str:
    rules = KINDS[kind]
    tried = _TRIED[rules.tries]
    if rules.asks_judge_first:
        tried = f"here with a renewed token, {tried}"
    if rules.waits:
        tried += ", then after a short wait"
    return tried
