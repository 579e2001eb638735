"""The programmed part of the upstream: rules that tests put before the defaults."""

from dataclasses import dataclass

from gateway.demo.answers import Plan, ScriptedResponse
from gateway.demo.received import Received, ReceivedRoute


@dataclass(slots=True, eq=False)
class ScriptRule:
    """Answers requests of one route; the first rule that fits is used."""

    plan: Plan
    route: ReceivedRoute = "responses"
    account: str | None = None  # None: any
    times: int | None = 1  # None: for ever

    def fits(self, received: Received) -> bool:
        return received.route == self.route and self.account in (
            None,
            received.account,
        )


class Script:
    """Rules in the order they were added."""

    def __init__(self) -> None:
        self.rules: list[ScriptRule] = []

    def add(self, rule: ScriptRule) -> ScriptRule:
        self.rules.append(rule)
        return rule

    def remove(self, rule: ScriptRule) -> None:
        """No error when it is used up already."""
        if rule in self.rules:
            self.rules.remove(rule)

    def take(self, received: Received) -> ScriptedResponse | None:
        """The scripted answer for a request; one use of its rule is spent."""
        for rule in self.rules:
            if rule.fits(received):
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times <= 0:
                        self.rules.remove(rule)
                return rule.plan(received) if callable(rule.plan) else rule.plan
        return None
