"""The events that are told: a table of what holds, how it is said, when it is over.

Each finder says what holds now. What it finds with a level above the one that was told
of the same scope is news; what it finds no more is over, and may be told anew.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.accounts.account import Account
from gateway.accounts.health import AccountStatus
from gateway.keys.key import Key
from gateway.keys.quota_report import iso_time
from gateway.monitoring.observed import Observed, ObservedDevice
from gateway.monitoring.readiness import readiness
from gateway.notifications.notice import Notice, Value, new_message_id, one_line
from gateway.settings import COMMAND

HOUR = 3_600
# Percent of a limit that are told of a key. Below half of the first one its window is
# as if it had not been there: a killed process loses a little of what was used.
THRESHOLDS = (80, 90, 100)
FORGOTTEN_BELOW = THRESHOLDS[0] / 2
# A limit of a minute is a rate: it is used up all the time.
SHORTEST_WINDOW = HOUR
DAY = 24 * HOUR
TOKEN_NOTICE = 3 * DAY
# Of two uses of a token or code: `EndReason.REUSE` of a device.
_REUSED = "reuse"


class Condition(NamedTuple):
    """Something that holds; `scope` tells it from others of its event."""

    scope: str
    values: dict[str, Value]  # for the text, and as data
    level: int = 1  # 0: not worth telling, but not over either


@dataclass(frozen=True, slots=True)
class Seen:
    """What the finders look at."""

    gateway: Observed
    keys: Collection[Key]
    unpriced: Collection[str]  # models that answered without a price
    now: float


@dataclass(frozen=True, slots=True)
class Alert:
    """One event: found how, and told in which words."""

    event: str
    title: str
    text: str
    find: Callable[[Seen], Iterable[Condition]] = field(repr=False)
    holds_for: float = 0.0  # seconds before it is told: a moment's trouble is none
    rearms_after: float = 0.0  # seconds of its absence before it may be told anew
    is_urgent: bool = True

    def notice(self, condition: Condition, now: float) -> Notice:
        values = {name: one_line(value) for name, value in condition.values.items()}
        return Notice(
            new_message_id(),
            self.event,
            condition.scope,
            condition.level,
            self.title.format_map(values)[:200],
            self.text.format_map(values),
            values,
            now,
            self.is_urgent,
        )


def _keys_near_limits(seen: Seen) -> Iterator[Condition]:
    """Of each limit's window the highest threshold that is reached."""
    for key in seen.keys:
        for counter in seen.gateway.limiter.ledger.all_counters(key, seen.now):
            limit = counter.limit
            percent = 100 * counter.used / limit.maximum
            if percent < FORGOTTEN_BELOW or limit.window_seconds < SHORTEST_WINDOW:
                continue
            reached = [level for level in THRESHOLDS if percent >= level]
            yield Condition(
                # Another maximum is another limit: what was told of it says nothing.
                f"{limit.id}/{limit.maximum}/{counter.start}",
                {
                    "key": key.name,
                    "limit": str(limit),
                    "percent": int(percent),
                    "until": iso_time(counter.end),
                },
                max(reached, default=0),
            )


def _logins_ended(seen: Seen) -> Iterator[Condition]:
    for account in seen.gateway.pool.accounts.values():
        if account.health.login_reason is not None:
            yield Condition(str(account.id), {"account": account.name})


def _logins_ending(seen: Seen) -> Iterator[Condition]:
    """Access tokens that nothing renews; of a login the gateway renews them itself."""
    for account in seen.gateway.pool.accounts.values():
        held, ends = account.credentials, account.credentials.expires_at
        if held.is_access_token and ends is not None and ends - seen.now < TOKEN_NOTICE:
            values: dict[str, Value] = {
                "account": account.name,
                "until": iso_time(ends),
            }
            # The login's end has a notice of its own.
            yield Condition(f"{account.id}/{ends:.0f}", values, int(ends > seen.now))


def _all_limited(seen: Seen) -> Iterator[Condition]:
    accounts = _in_service(seen)
    ends = [
        account.health.limit.until
        for account in accounts
        if account.health.limit is not None
        and account.health.status(seen.now) is AccountStatus.LIMITED
    ]
    if accounts and len(ends) == len(accounts):
        yield Condition("", {"accounts": len(ends), "until": iso_time(min(ends))})


def _ways_blocked(seen: Seen) -> Iterator[Condition]:
    """Upstreams that no account in service reaches, by their base URLs."""
    verdicts = seen.gateway.pool.verdicts
    by_base: dict[str, list[Account]] = {}
    for account in _in_service(seen):
        by_base.setdefault(account.base_url or "", []).append(account)
    for base, accounts in by_base.items():
        if all(verdicts.is_way_blocked(account, seen.now) for account in accounts):
            names = ", ".join(sorted(account.name for account in accounts))
            yield Condition(base[:200], {"accounts": names})


def _database_failing(seen: Seen) -> Iterator[Condition]:
    writer = seen.gateway.store.writer
    if readiness(seen.gateway)["database"] != "ok":
        yield Condition("", {"waiting": writer.queue_depth, "lost": writer.dropped})


def _prices_missing(seen: Seen) -> Iterator[Condition]:
    for model in seen.unpriced:
        yield Condition(model, {"model": model})


def _devices_added(seen: Seen) -> Iterator[Condition]:
    for device in seen.gateway.oauth.devices():
        if seen.now - device.created_at < DAY:
            yield Condition(str(device.id), _device_values(seen, device))


def _devices_copied(seen: Seen) -> Iterator[Condition]:
    for device in seen.gateway.oauth.devices():
        ended = device.ends_at if device.end_reason == _REUSED else None
        if ended is not None and seen.now - ended < DAY:
            yield Condition(str(device.id), _device_values(seen, device))


def _device_values(seen: Seen, device: ObservedDevice) -> dict[str, Value]:
    seat = seen.gateway.ring.get(device.key_id)
    return {
        "seat": seat.name if seat else f"#{device.key_id}",
        "device": device.name,
        "address": device.address,
    }


def _in_service(seen: Seen) -> list[Account]:
    accounts = seen.gateway.pool.accounts.values()
    return [account for account in accounts if account.health.is_in_service]


OF_KEYS = Alert(
    "key.limit",
    "Key {key}: {percent} % used",
    "The key {key} has used {percent} % of its limit {limit}. The window ends {until}.",
    _keys_near_limits,
    is_urgent=False,
)
# And of all else that is looked at as a whole.
OF_ACCOUNTS = (
    Alert(
        "account.login_ended",
        "Account {account} needs a login",
        "Upstream takes the login of {account} no more, and it serves nobody until "
        f"there is a new one: `{COMMAND} accounts login`, or `accounts import`.",
        _logins_ended,
    ),
    Alert(
        "account.login_ends",
        "Account {account}: its access token ends",
        "The access token of {account} ends {until}, and nothing renews it. "
        f"`{COMMAND} accounts import` takes a new one.",
        _logins_ending,
        is_urgent=False,
    ),
    Alert(
        "accounts.limited",
        "All accounts are limited",
        "The windows of all accounts in service ({accounts}) are used up; the first is "
        "reset {until}. Until then clients are refused.",
        _all_limited,
        rearms_after=60.0,
    ),
    Alert(
        "upstream.blocked",
        "The way to upstream is blocked",
        "No connection leads to the upstream of {accounts}, or its edge refuses this "
        f"machine's address. Look at the network and GATEWAY_EGRESS_PROXY; `{COMMAND} "
        "doctor` tries them.",
        _ways_blocked,
        holds_for=5.0,
        rearms_after=60.0,
    ),
    Alert(
        "database.failing",
        "The database takes no rows",
        "Rows of the request log wait in memory ({waiting}); {lost} were lost. "
        "/health/ready says what is wrong.",
        _database_failing,
        holds_for=5.0,
        rearms_after=60.0,
    ),
    Alert(
        "price.missing",
        "No price for {model}",
        "A request of {model} has no known price, be it for the model, its tier or its "
        "length: sums leave it out, and limits on cost count it at the dearest there "
        f"is, or refuse it (GATEWAY_UNPRICED). `{COMMAND} prices check` says more.",
        _prices_missing,
        # Known to this process only: a new one has to see it first.
        rearms_after=30.0 * DAY,
        is_urgent=False,
    ),
    Alert(
        "device.added",
        "A new device of {seat}: {device}",
        "{device} has signed in to the seat {seat}; it was asked for from {address}. "
        "If its person knows nothing of it, end the device.",
        _devices_added,
        is_urgent=False,
    ),
    Alert(
        "device.copied",
        "A token of {seat} was used by two",
        "A refresh token or code of {device}, a device of the seat {seat}, came back "
        "after it was used: somebody has a copy. The device has been ended; its person "
        "signs in again.",
        _devices_copied,
    ),
)
ALERTS = (OF_KEYS, *OF_ACCOUNTS)
URGENT = frozenset(alert.event for alert in ALERTS if alert.is_urgent)
