"""Warnings: what an operator should see to, and makes nothing unready."""

from gateway.app import Gateway
from gateway.upstream.account_api import describe_skew


def warnings_of(gateway: Gateway) -> dict[str, str]:
    """What `/health/ready` says besides, by subject.

    What names files or servers stands behind a colon.
    """
    prices = gateway.prices.problem
    told = {
        "database_lock": gateway.database_lock.problem,
        "members": gateway.membership.problem,
        "database_clock": gateway.database_clock.problem,
        "prices": prices and f"the list of prices has a mistake: {prices}",
        "notifications": gateway.notifications.problem,
        "clock": describe_skew(gateway.calls.clock_skew),
    }
    return {subject: text for subject, text in told.items() if text}
