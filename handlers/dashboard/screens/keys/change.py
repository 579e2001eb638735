"""/dashboard/keys/NAME/change: all rules of a key; shown before and after first."""

import time
from typing import Any, ClassVar

from gateway.admin.key_rules.entities import KEY_CHANGE
from gateway.admin.keys import change_key
from gateway.keys.key import Key
from gateway.sign_in.users import Role
from handlers.admin.keys import key_answer
from handlers.dashboard.changes.confirming import ConfirmedScreen
from handlers.dashboard.forms import SentForm
from handlers.dashboard.screens.keys.create import checked, choices
from handlers.dashboard.screens.keys.key_form import KeyFields, changed_rules
from handlers.dashboard.screens.keys.key_links import key_at, key_url


class KeyChangeScreen(ConfirmedScreen):
    """The form with what the key has now; what it changes is confirmed."""

    least_role: ClassVar = {"get": Role.OPERATOR, "post": Role.OPERATOR}

    async def get(self, name: str) -> None:
        key, given = key_at(self.gateway, name), self.given
        fields = (
            KeyFields.sent(given)
            if isinstance(given, SentForm)
            else KeyFields.of_key(self._shown(key), key.limits)
        )
        await self.show(
            "keys/change.html",
            dict,
            key=key,
            fields=fields,
            cancel=key_url(key),
            **choices(self.gateway, key),
        )

    async def submit(self, form: SentForm, *path: str) -> None:
        key = key_at(self.gateway, *path)
        rules = checked(KEY_CHANGE, changed_rules(form, self._shown(key)))
        title = f"Change {key.name}"
        changed = await self.confirmed(
            form, title, change_key, key.name, rules, self.actor
        )
        if changed is not None:
            self.go(key_url(key_at(self.gateway, changed.after.get("name", key.name))))

    def _shown(self, key: Key) -> dict[str, Any]:
        return key_answer(self.gateway, key, time.time())
