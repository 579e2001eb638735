"""/dashboard/settings: what is set in the database, and what the environment rules."""

from typing import Any, ClassVar

from gateway.accounts.strategies import STRATEGIES
from gateway.admin.entities import SETTINGS_CHANGE
from gateway.admin.entity import Changed
from gateway.admin.rules import set_rules
from gateway.admin.strategy import set_strategy
from gateway.repository.options import load_shown_rules, load_strategy, shown_rules
from gateway.settings import Settings
from gateway.sign_in.users import Role
from handlers.dashboard.changes.confirming import ConfirmedScreen
from handlers.dashboard.forms import SentForm
from handlers.dashboard.screens.keys.create import checked
from handlers.dashboard.screens.rules.environment import environment_settings

_PATH = "/dashboard/settings"
STRATEGY_WORDS = {
    "capacity_weighted": "by what is left of each account's week, at random",
    "round_robin": "one after the other",
    "fill_first": "the oldest account until it is used up",
}
assert set(STRATEGY_WORDS) == set(STRATEGIES)


class SettingsScreen(ConfirmedScreen):
    """The form has what takes effect at once; the rest needs a restart."""

    least_role: ClassVar = {"get": Role.VIEWER, "post": Role.OPERATOR}

    async def get(self) -> None:
        gateway = self.gateway
        await self.show(
            "rules/settings.html",
            read_environment,
            gateway.settings,
            strategy=self.given.get("strategy") or gateway.pool.strategy,
            strategies=STRATEGY_WORDS,
            aliases=self.given.get(
                "aliases", "\n".join(shown_rules(gateway.rules)["aliases"])
            ),
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        wanted = checked(
            SETTINGS_CHANGE,
            {
                "strategy": form.get("strategy", ""),
                "aliases": lines_of(form.get("aliases", "")),
            },
        )
        made = await self.confirmed(
            form, "Change the settings", change_settings, wanted, self.actor
        )
        if made is not None:
            self.go(_PATH)


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def change_settings(wanted: dict[str, Any], actor: str) -> Changed:
    """Set what is not as it is wanted; one audit row each. Raises Unacceptable."""
    before = _stored()
    if "strategy" in wanted and wanted["strategy"] != before["strategy"]:
        set_strategy(wanted["strategy"], actor)
    rules = {
        name: wanted[name]
        for name in ("tools", "aliases")
        if name in wanted and wanted[name] != before[name]
    }
    if rules:
        set_rules(rules, actor)
    return Changed.between("settings", before, _stored())


def _stored() -> dict[str, Any]:
    return {"strategy": load_strategy(), **load_shown_rules()}


def read_environment(settings: Settings) -> dict[str, Any]:
    return {"settings": list(environment_settings(settings))}
