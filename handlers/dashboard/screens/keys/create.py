"""/dashboard/keys/new: a new key, shown on the answer to the form and never again."""

from typing import Any, ClassVar

from gateway.admin.entity import Entity
from gateway.admin.key_rules.entities import NEW_KEY
from gateway.admin.keys import Made, create_key
from gateway.app import Gateway
from gateway.keys.key import Key, Measure
from gateway.settings import UNPRICED
from gateway.sign_in.users import Role
from handlers.admin.base import load
from handlers.dashboard.base import PageHandler
from handlers.dashboard.changes.one_time import ONE_TIME_FIELD, OneTimeForms
from handlers.dashboard.forms import SentForm, own_page
from handlers.dashboard.screens.keys.client_lines import client_lines, known_models
from handlers.dashboard.screens.keys.key_form import KeyFields, given_rules
from handlers.dashboard.screens.keys.key_links import KEYS


class NewKeyScreen(PageHandler):
    """The form, and the key that it made."""

    least_role: ClassVar = {"get": Role.OPERATOR, "post": Role.OPERATOR}

    async def get(self) -> None:
        given = self.given
        await self.show(
            "keys/new.html",
            dict,
            fields=KeyFields.sent(given)
            if isinstance(given, SentForm)
            else KeyFields.empty(),
            next=own_page(given.get("next") or self.get_query_argument("next", "")),
            cancel=KEYS,
            **choices(self.gateway, None),
            once=issue_once(self),
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        """Not answered by the way to another page: what is shown is nowhere else."""
        take_once(self, form)
        await make_key(self, form)


async def make_key(screen: PageHandler, form: SentForm) -> None:
    """Make the key that a form describes, and show it, this once.

    Raises Unacceptable and AlreadyThere, with the field that is meant.
    """
    rules = checked(NEW_KEY, {**given_rules(form), "name": form.get("name", "")})
    name = rules.pop("name")
    made = await screen.change(create_key, name, rules, screen.actor)
    show_made(screen, made, own_page(form.get("next", "")) or KEYS)


def show_made(screen: PageHandler, made: Made, onward: str) -> None:
    """Made here and now: a page that came too late would lose the key."""
    token, ring = made.token.reveal(), screen.gateway.ring
    key = next((one for one in ring if one.name == made.name), None)
    screen.show_plain(
        "keys/made.html",
        made=made,
        token=token,
        lines=client_lines(screen, key, token),
        next=onward,
    )


def checked(entity: Entity, rules: dict[str, Any]) -> dict[str, Any]:
    """The rules within their bounds, as the admin API has them. Raises Unacceptable."""
    loaded = load(entity, rules)
    return {name: loaded[name] for name in rules}


def choices(gateway: Gateway, key: Key | None) -> dict[str, Any]:
    """What the form of a key's rules offers."""
    names = [account.name for account in gateway.pool.accounts.values()]
    held = key.accounts if key is not None and key.accounts is not None else ()
    gone = [f"#{one}" for one in sorted(held) if one not in gateway.pool.accounts]
    return {
        "measures": list(Measure),
        "accounts": [*sorted(names, key=str.casefold), *gone],
        "models": known_models(gateway),
        "unpriced_choices": UNPRICED,
        "unpriced_default": gateway.settings.unpriced,
    }


def issue_once(screen: PageHandler) -> str:
    """The token that a form of this page sends, which counts once."""
    return OneTimeForms.of(screen.settings).issue(screen.form_token)


def take_once(screen: PageHandler, form: SentForm) -> None:
    """Raises AlreadySent."""
    token = form.pop(ONE_TIME_FIELD, "")
    OneTimeForms.of(screen.settings).take(token, screen.form_token)
