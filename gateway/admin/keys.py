"""The operator's changes to API keys; `name` also takes a key's number."""

import re
import time
from dataclasses import dataclass
from typing import Any

from gateway.admin.entity import Changed
from gateway.admin.errors import Unacceptable
from gateway.admin.key_rules.columns import apply_rules, read_overlap
from gateway.admin.key_rules.entities import MADE_KEY
from gateway.admin.names import find_row, free_name, row_to_change
from gateway.admin.views import account_names, show_key
from gateway.keys import key
from gateway.keys.counters import window_start
from gateway.oauth.devices import end_seat_devices
from gateway.repository import audit, options
from gateway.repository.keys import KEYS_EVER_MADE, key_of, keys_ever_made, limits_of
from gateway.repository.row_ids import fresh_id
from gateway.secret import Secret
from gateway.sign_in.sessions import end_key_sessions
from gateway.store.models import ApiKeyRow, RequestLog, now_ms
from gateway.store.shared.grants import used_in


@dataclass(frozen=True, slots=True)
class Made:
    """A token, shown this once; `is_first`: from now on everybody needs a key."""

    name: str
    token: Secret
    prefix: str
    is_first: bool = False
    old_prefix: str | None = None
    old_expires_at: float | None = None  # until when the old one is good, too

    def shown(self) -> dict[str, Any]:
        return MADE_KEY.shown(self, key=self.token.reveal())


def create_key(name: str, rules: dict[str, Any], actor: str) -> Made:
    """Make a key. `rules`, all optional, as `change` takes them.

    Raises Unacceptable, NotThere for an account, AlreadyThere for a name.
    """
    name = free_name(ApiKeyRow, name)
    is_first = not keys_ever_made()
    token = key.generate()
    row = ApiKeyRow.create(
        force_insert=True,
        id=fresh_id(ApiKeyRow),
        name=name,
        prefix=key.prefix(token),
        digest=key.digest(token),
    )
    options.write(KEYS_EVER_MADE, "1")
    apply_rules(row, rules)
    audit.record(actor, "key.create", name, prefix=row.prefix, **rules)
    return Made(name, Secret(token), row.prefix, is_first)


def change_key(name: str, rules: dict[str, Any], actor: str) -> Changed:
    """Set the rules of `KEY_CHANGE`; None takes one away, and the others stay.

    `limits` are all of them: one that is not among them goes.
    """
    row = row_to_change(ApiKeyRow, name)
    before = _shown(row)
    if "name" in rules and rules["name"] != row.name:
        rules = {**rules, "name": free_name(ApiKeyRow, rules["name"])}
    apply_rules(row, rules)
    if row.is_disabled:
        end_key_sessions(row.id)
    changed = Changed.between(str(row.name), before, _shown(row))
    audit.record(
        *(actor, "key.update", before["name"]),
        before=changed.before,
        after=changed.after,
    )
    return changed


def set_disabled(name: str, actor: str, *, disabled: bool) -> Changed:
    """Refuse the key from the next request on, or accept it again."""
    return change_key(name, {"disabled": disabled}, actor)


def replace_token(name: str, actor: str, overlap: str | None = None) -> Made:
    """A new token with the same rules; the old one is good until the overlap is over.

    Without one it is refused from now on, as is the one before in any case. Raises
    Unacceptable for a seat.
    """
    row = row_to_change(ApiKeyRow, name, exact=True)
    if row.user_id is not None:
        raise Unacceptable(f"'{row.name}' is a person's seat, which has no token")
    until = read_overlap(overlap)
    if until is None:
        row.old_prefix, row.old_digest, row.old_expires_at = None, None, None
        end_key_sessions(row.id)
    else:
        row.old_prefix, row.old_digest = row.prefix, row.digest
        row.old_expires_at = until * 1000
    token = key.generate()
    row.prefix, row.digest = key.prefix(token), key.digest(token)
    row.save()
    audit.record(actor, "key.rotate", row.name, prefix=row.prefix, old_expires_at=until)
    return Made(row.name, Secret(token), row.prefix, False, row.old_prefix, until)


def reset_usage(name: str, actor: str) -> Changed:
    """Begin all limits of a key anew; what runs now counts for what was before.

    Each becomes another limit with the same rule: whoever holds the old counters,
    in whatever process, has no limit for them any more.
    """
    row = row_to_change(ApiKeyRow, name)
    used = {str(limit): _used(row, limit) for limit in limits_of(row)}
    texts = list(used)
    apply_rules(row, {"limits": None})
    apply_rules(row, {"limits": texts})
    audit.record(actor, "key.reset_usage", row.name, before=used)
    return Changed(str(row.name), used, dict.fromkeys(used, 0))


def remove_key(name: str, actor: str) -> Changed:
    """Forget the key; what it did stays in the log."""
    row = row_to_change(ApiKeyRow, name, exact=True)
    before = {"state": _shown(row)["state"]}
    apply_rules(row, {"limits": None})
    ApiKeyRow.delete().where(ApiKeyRow.id == row.id).execute()
    end_key_sessions(row.id)
    end_seat_devices(row.id, actor, time.time())
    audit.record(actor, "key.remove", row.name, id=row.id, prefix=row.prefix)
    return Changed(str(row.name), before, {"state": "removed"})


def begin_deletion(name: str, actor: str) -> tuple[int, str]:
    """Number and name of the key whose log is to go; "#3" is of one that was removed.

    Noted before the first slice goes: it may be the last that is known of the rows.
    """
    if re.fullmatch(r"#[0-9]{1,9}", name, re.ASCII):
        key_id, shown = int(name[1:]), name
    else:
        row = find_row(ApiKeyRow, name, exact=True)
        key_id, shown = row.id, str(row.name)
    rows = RequestLog.select().where(RequestLog.api_key_id == key_id).count()
    audit.record(actor, "key.delete_log", shown, rows=rows)
    return key_id, shown


def _shown(row: ApiKeyRow) -> dict[str, Any]:
    shown = key_of(row, limits_of(row))
    return show_key(shown, account_names(), now_ms() / 1000)


def _used(row: ApiKeyRow, limit: key.Limit) -> int:
    """As far as the database knows."""
    start = window_start(row.created_at // 1000, limit.window_seconds, now_ms() / 1000)
    return used_in(limit.id, start * 1000)
