"""Logins that end, and states of the gateway itself."""

from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse
from gateway.demo.upstream import ScriptedUpstream
from tests.tools.cli_failures.refusals import A_STATE, WORKSPACE
from tests.tools.cli_failures.row import Play, Row, always, error

CLOSED = error(403, "account_deactivated", "Closed.")
A_502 = "the client repeats a 502 more often"
OURS = "a 401 about the gateway's login is not the client's"


def expire(upstream: ScriptedUpstream, *names: str) -> None:
    """These accounts' tokens are refused from now on."""
    for name in names or upstream.accounts:
        upstream.auth.expire(name)


def end(upstream: ScriptedUpstream, *names: str) -> None:
    """So are their refresh tokens, for good."""
    expire(upstream, *names)
    for name in names or upstream.accounts:
        upstream.auth.spent.add(upstream.accounts[name].refresh_token)


def refuse(upstream: ScriptedUpstream) -> None:
    """Every token, whatever it is used for."""
    for route in ("responses", "usage"):
        upstream.answer(faults.unauthorized(), route=route, times=None)


def of_one(answer: ScriptedResponse) -> Play:
    """The first account's turns are answered so; those of others are well."""
    return lambda upstream: upstream.answer(answer, account="one", times=None)


LOGINS = (
    Row("401, the token can be renewed", lambda up: expire(up, "one"), own_login=True),
    Row(
        "401, one login has ended",
        lambda up: end(up, "one"),
        own_login=True,
    ),
    Row("401, all logins have ended", end, own_login=True, rule=OURS),
    Row("401 for renewed tokens, too", refuse, own_login=True, rule=OURS, longer=A_502),
    Row(
        "401 for a token that upstream's usage takes",
        always(faults.unauthorized()),
        own_login=True,
        rule=OURS,
        longer=A_502,
    ),
    Row(
        "401 of an API key",
        always(faults.unauthorized("invalid_api_key")),
        rule=OURS,
        longer=A_502,
    ),
    Row("403 account_deactivated", always(CLOSED), rule=A_STATE),
    *(
        Row(f"{name}, of one account", of_one(answer), own_login=True)
        for name, answer in (
            ("403 account_deactivated", CLOSED),
            ("402 deactivated_workspace", WORKSPACE),
            ("429 usage_limit_reached", faults.usage_limit()),
        )
    ),
)
STATES = (
    Row(
        "no account was added",
        lambda up: None,
        accounts=0,
        told="run.py accounts login",
        earlier="145 s",
    ),
    Row(
        "all logins had ended",
        end,
        commands=tuple(
            ("accounts", "probe", f"{name}@demo.example") for name in ("one", "two")
        ),
        told="run.py accounts login",
        earlier="145 s",
    ),
    Row(
        "all accounts are paused",
        lambda up: None,
        commands=tuple(
            ("accounts", "pause", f"{name}@demo.example") for name in ("one", "two")
        ),
        told="run.py accounts resume",
    ),
)
ROWS = (*LOGINS, *STATES)
