"""What needs the owner of all that a gateway knows of itself, the worst first. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gateway.accounts.health import AccountStatus
from gateway.admin.traffic.locality import Alarm, Locality
from gateway.doctor.findings import Finding, Level
from handlers.dashboard.formats import age, dollars, number_text, percent_text

NEAR_LIMIT_PERCENT = 80.0
TOKEN_ENDS_SECONDS = 3 * 86_400.0
RECENT_BLOCK_SECONDS = 86_400.0
MOST_OF_A_KIND = 5
_LOGGED_OUT = (AccountStatus.REAUTH_REQUIRED, AccountStatus.TOKEN_ENDED)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing; `url` is the page where it is dealt with."""

    level: str
    subject: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known beside `/api/status`."""

    recording: Mapping[str, Any] | None = None  # the last one of a blocked loop
    undelivered: Sequence[Mapping[str, Any]] = ()  # notices
    findings: Sequence[Finding] = ()  # of the doctor's last examination
    hour: Locality | None = None  # and the day before it
    day: Locality | None = None
    alarm: Alarm | None = None  # what has become worse in the hour


def needs(told: Mapping[str, Any], signs: Signs) -> list[Need]:
    """`told` as `/api/status` has it."""
    now = told["at"]
    found = [
        *_of_process(told["gateway"], told["queues"]),
        *_of_accounts(told["accounts"], now),
        *_of_keys(told["limits"], now),
        *_of_conversations(signs),
        *_of_findings(signs.findings),
        *_of_notices(signs.undelivered),
        *_of_recording(signs.recording, now),
    ]
    return sorted(found, key=lambda need: need.level)  # bad, then warn


def _of_conversations(signs: Signs) -> Iterator[Need]:
    """Moves that cost: what one account has cached, the next one reads anew."""
    hour, day = signs.hour, signs.day
    if hour is None or day is None:
        return
    pages = "/dashboard/conversations?moved=yes"
    if signs.alarm == "moved":
        text = (
            f"{percent_text(hour.moved)} of the last hour's turns changed their "
            f"account, {percent_text(day.moved)} the day before"
        )
        yield Need("warn", "Conversations", text, pages)
    elif signs.alarm == "uncached":
        text = (
            f"{percent_text(hour.cached)} of the last hour's input was cached, "
            f"{percent_text(day.cached)} the day before"
        )
        yield Need("warn", "Conversations", text, pages)


def _of_findings(findings: Iterable[Finding]) -> Iterator[Need]:
    bad = [one for one in findings if one.level is not Level.OK]
    for one in bad[:MOST_OF_A_KIND]:
        level = "bad" if one.level is Level.FAIL else "warn"
        text = f"{one.check}: {one.message}"
        yield Need(level, "Doctor", text, "/dashboard/doctor")
    if len(bad) > MOST_OF_A_KIND:
        rest = f"{len(bad) - MOST_OF_A_KIND} more findings"
        yield Need("warn", "Doctor", rest, "/dashboard/doctor")


def _of_notices(undelivered: Iterable[Mapping[str, Any]]) -> Iterator[Need]:
    for one in undelivered:
        text = f"not delivered: {one['title']}"
        yield Need("warn", "Notice", text, "/dashboard/notices")


def _of_recording(recording: Mapping[str, Any] | None, now: float) -> Iterator[Need]:
    if recording is not None and now - recording["at"] < RECENT_BLOCK_SECONDS:
        what = recording["what"] or "see the recording"
        text = f"blocked {age(recording['at'], now)}: {what}"
        yield Need("warn", "Event loop", text, "/dashboard/recorder")


def _of_process(
    process: Mapping[str, Any], queues: Mapping[str, Any]
) -> Iterator[Need]:
    for check, words in process["readiness"].items():
        if words != "ok":
            yield Need("bad", check.capitalize(), words, "/dashboard/doctor")
    for subject, words in process["warnings"].items():
        name = subject.replace("_", " ").capitalize()
        yield Need("warn", name, words, "/dashboard/doctor")
    if queues["lost_rows"]:
        lost = f"{number_text(queues['lost_rows'])} rows of the log were lost"
        yield Need("warn", "Database", lost, "/dashboard/doctor")


def _of_accounts(accounts: Iterable[Mapping[str, Any]], now: float) -> Iterator[Need]:
    for account in accounts:
        page = f"/dashboard/accounts/{quote(account['name'], safe='')}"
        ends = account["token_expires_at"]
        if account["state"] in _LOGGED_OUT:
            text = f"{account['name']} needs a new login: {account['why']}"
            yield Need("bad", "Account", text, page)
        elif account["auth"] == "access_token" and ends is not None:
            if now < ends < now + TOKEN_ENDS_SECONDS:
                text = f"the access token of {account['name']} ends {age(ends, now)}"
                yield Need("warn", "Account", text, page)


def _of_keys(limits: Iterable[Mapping[str, Any]], now: float) -> Iterator[Need]:
    near = [
        limit
        for limit in limits
        if limit["used_percent"] >= NEAR_LIMIT_PERCENT or limit["runs_out_at"]
    ]
    for limit in near[:MOST_OF_A_KIND]:
        used, maximum = _amount(limit, "used"), _amount(limit, "maximum")
        ends = limit["runs_out_at"]
        when = (
            f"runs out {age(ends, now)}"
            if ends is not None and ends > now
            else f"resets {age(limit['resets_at'], now)}"
        )
        yield Need(
            "bad" if limit["used_percent"] >= 100 else "warn",
            "Key",
            f"{limit['key']} has used {used} of {maximum} ({limit['limit']}); {when}",
            f"/dashboard/keys/{quote(limit['key'], safe='')}",
        )
    if len(near) > MOST_OF_A_KIND:
        rest = f"{len(near) - MOST_OF_A_KIND} more are near a limit of theirs"
        yield Need("warn", "Keys", rest, "/dashboard/keys")


def _amount(limit: Mapping[str, Any], name: str) -> str:
    is_cost = limit["limit"].startswith("cost")
    return dollars(limit[name]) if is_cost else number_text(limit[name])
