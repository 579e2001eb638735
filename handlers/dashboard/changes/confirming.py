"""Changes that are shown before they are made: what is there, and what would be."""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gateway.admin.entity import Changed
from gateway.admin.errors import Unacceptable
from gateway.errors import GatewayError
from gateway.protocol.facts import Origin
from handlers.dashboard.base import PageHandler
from handlers.dashboard.formats import time_text
from handlers.dashboard.forms import TOKEN_FIELD, SentForm

# The change that was shown, as the form that confirms it names it.
SEEN_FIELD = "seen"
EDIT_FIELD = "edit"  # back to the form, with what stands in it


class ChangedMeanwhile(GatewayError):
    """What a change was to begin from is not there any more."""

    status = 409
    code = "changed_meanwhile"
    type = "invalid_request_error"
    message = "Somebody changed this meanwhile: look again what would become of it"
    origin: Origin = "client"


class _Preview(Exception):
    """Ends a transaction, so that nothing of it stays."""

    def __init__(self, changed: Changed) -> None:
        self.changed = changed


class ChangeRow(NamedTuple):
    """One value of what a change makes different, as lines of text."""

    name: str
    before: list[str]
    after: list[str]


class ConfirmedScreen(PageHandler):
    """A page whose form makes a change once its before and after were confirmed."""

    async def confirmed(
        self, form: SentForm, title: str, function: Callable[..., Changed], *args: Any
    ) -> Changed | None:
        """The change, made; None: it, or its form, was shown instead.

        Raises what the function raises, and Unacceptable where nothing would change.
        """
        if EDIT_FIELD in form:
            self.given = form
            await self.show_again(*self.path_args)
            return None
        seen = form.get(SEEN_FIELD)
        if seen is not None:
            try:
                return await self.change(_made_as_seen, seen, function, *args)
            except ChangedMeanwhile as problem:
                self.set_status(problem.status)
                self.problem = problem
        changed = await self._preview(function, *args)
        if not changed.before and not changed.after:
            raise Unacceptable("Nothing would change")
        await self.show(
            "confirm.html",
            dict,
            title=title,
            rows=change_rows(changed, self.gateway.settings.time_zone),
            fields=[*_sent(form), (SEEN_FIELD, _digest(changed))],
        )
        return None

    async def _preview(self, function: Callable[..., Changed], *args: Any) -> Changed:
        """What the change would be; it is made, and taken back."""
        try:
            await self.gateway.store.write(_made_and_undone, function, *args)
        except _Preview as preview:
            return preview.changed
        raise AssertionError("a preview ends its transaction")


def change_rows(changed: Changed, zone: str) -> list[ChangeRow]:
    """What a change makes different, as a page shows it."""

    def lines(name: str, value: Any) -> list[str]:
        if value is None or value in ([], ""):
            return []
        if name.endswith("_at"):
            return [time_text(value, zone)]
        return list(map(str, value if isinstance(value, list) else [value]))

    return [
        ChangeRow(
            name.removesuffix("_at").replace("_", " ").capitalize(),
            lines(name, changed.before[name]),
            lines(name, after),
        )
        for name, after in changed.after.items()
    ]


def _made_and_undone(function: Callable[..., Changed], *args: Any) -> None:
    raise _Preview(function(*args))


def _made_as_seen(seen: str, function: Callable[..., Changed], *args: Any) -> Changed:
    changed = function(*args)
    if _digest(changed) != seen:
        raise ChangedMeanwhile
    return changed


def _digest(changed: Changed) -> str:
    """Of what there is: what becomes of it may count from now, as "in 30 days" does."""
    told = json.dumps(changed.before, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _sent(form: SentForm) -> Iterator[tuple[str, str]]:
    """The fields of the form, to be sent again."""
    for name, values in form.many.items():
        if name not in (TOKEN_FIELD, SEEN_FIELD, EDIT_FIELD):
            yield from ((name, value) for value in values)
