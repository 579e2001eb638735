"""Where the admin API has what the functions of commands do.

By the function's module and name: most of a command's time is imports, so that none is
imported for another's sake. What stands here reaches a gateway whose database this
shell cannot know.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from gateway.admin.entity import Changed

Answer = dict[str, Any]


class Call(NamedTuple):
    method: str
    path: str
    body: dict[str, Any] | None = None


def _changed(answer: Answer, name: str | None = None) -> Changed:
    return Changed(name or answer["name"], answer["before"], answer["after"])


class Route(NamedTuple):
    """How a function is called there, from its arguments, and what it then gives."""

    call: Callable[..., Call]
    result: Callable[[Answer], Any] = _changed


def path_of(*parts: str) -> str:
    """`/api/…` of parts that may hold any character."""
    return "/api/" + "/".join(quote(part, safe="") for part in parts)


def route_of(function: Callable[..., Any]) -> Route | None:
    """The route of a function, or of one that was given some arguments."""
    if isinstance(function, partial):
        route = route_of(function.func)
        if route is None:
            return None
        call = partial(route.call, *function.args, **function.keywords)
        return route._replace(call=call)
    module = getattr(function, "__module__", "")
    return ROUTES.get(f"{module}.{function.__qualname__}".removeprefix("gateway."))


def _asked(path: str, **wanted: Any) -> Call:
    given = {name: value for name, value in wanted.items() if value is not None}
    return Call("GET", f"{path_of(path)}?{urlencode(given)}")


def _new_account(wanted: Any, secrets: object, actor: str) -> Call:
    body = asdict(wanted) | {"api_key": wanted.api_key.reveal()}
    return Call("POST", path_of("accounts"), body)


def _settings(**changes: Any) -> Call:
    return Call("PATCH", path_of("settings"), changes)


def _made_key(answer: Answer) -> Any:
    from gateway.admin.keys import Made
    from gateway.secret import Secret

    given = {name: one for name, one in answer.items() if name != "key"}
    return Made(token=Secret(answer["key"]), **given)


def _made_link(answer: Answer) -> Any:
    from gateway.admin.users.changes import MadeLink
    from gateway.secret import Secret

    if answer["token"] is None:  # who was invited has a password
        return None
    given = {name: one for name, one in answer.items() if name != "token"}
    return MadeLink(token=Secret(answer["token"]), **given)


def _imported(answer: Answer) -> Any:
    from gateway.admin.accounts import Imported

    return Imported(
        answer["name"],
        is_new=answer.get("is_new", True),
        kept_newer=answer.get("kept_newer", False),
    )


ROUTES: dict[str, Route] = {
    # Keys.
    "admin.keys.create_key": Route(
        lambda name, rules, actor: Call(
            "POST", path_of("keys"), {**rules, "name": name}
        ),
        _made_key,
    ),
    "admin.keys.change_key": Route(
        lambda name, rules, actor: Call("PATCH", path_of("keys", name), rules)
    ),
    "admin.keys.set_disabled": Route(
        lambda name, actor, *, disabled: Call(
            "PATCH", path_of("keys", name), {"disabled": disabled}
        )
    ),
    "admin.keys.replace_token": Route(
        lambda name, actor, overlap: Call(
            "POST", path_of("keys", name, "rotate"), {"overlap": overlap}
        ),
        _made_key,
    ),
    "admin.keys.reset_usage": Route(
        lambda name, actor: Call("DELETE", path_of("keys", name, "usage"))
    ),
    "admin.keys.remove_key": Route(
        lambda name, actor: Call("DELETE", path_of("keys", name))
    ),
    "admin.views.stored_keys": Route(
        lambda: Call("GET", path_of("keys")), itemgetter("keys")
    ),
    # Accounts.
    "admin.accounts.add_api_key_account": Route(_new_account, _imported),
    "admin.logins.batch.save_logins": Route(
        lambda logins, secrets, actor: Call(
            "POST",
            path_of("accounts", "imports"),
            {"logins": [one.document() for one in logins]},
        ),
        lambda answer: [_imported(one) for one in answer["imported"]],
    ),
    "admin.accounts.set_paused": Route(
        lambda name, actor, *, paused: Call(
            "POST", path_of("accounts", name, "pause" if paused else "resume"), {}
        )
    ),
    "admin.accounts.resume_account": Route(
        lambda name, secrets, actor: Call(
            "POST", path_of("accounts", name, "resume"), {}
        ),
        dict,
    ),
    "admin.accounts.change_account": Route(
        lambda account, changes, actor: Call(
            "PATCH", path_of("accounts", account), changes
        )
    ),
    "admin.accounts.remove_account": Route(
        lambda name, actor: Call("DELETE", path_of("accounts", name))
    ),
    "admin.views.stored_accounts": Route(
        lambda secrets: Call("GET", path_of("accounts")), itemgetter("accounts")
    ),
    "admin.users.changes.link_for": Route(
        lambda user, actor: Call("POST", path_of("dashboard", "link"), {"user": user}),
        _made_link,
    ),
    # People and devices.
    "admin.users.people.invite": Route(
        lambda name, rules, actor, *, key: Call(
            "POST", path_of("people"), {**rules, "name": name, "key": key}
        ),
        _made_link,
    ),
    "admin.users.people.disable_person": Route(
        lambda name, actor, *, disabled: Call(
            "PATCH", path_of("people", name), {"disabled": disabled}
        )
    ),
    "admin.users.people.remove_person": Route(
        lambda name, actor: Call("DELETE", path_of("people", name))
    ),
    "admin.users.people.stored_people": Route(
        lambda: Call("GET", path_of("people")), itemgetter("people")
    ),
    "admin.users.people.stored_person": Route(
        lambda name: Call("GET", path_of("people", name)), dict
    ),
    "admin.users.people.stored_devices": Route(
        lambda person: _asked("devices", person=person), itemgetter("devices")
    ),
    "admin.users.people.sign_out_device": Route(
        lambda device_id, actor, *, at_once: Call(
            "POST", path_of("devices", str(device_id), "sign-out"), {"now": at_once}
        )
    ),
    # Settings and reports.
    "admin.strategy.set_strategy": Route(
        lambda name, actor: _settings(strategy=name), partial(_changed, name="strategy")
    ),
    "admin.rules.set_rules": Route(
        lambda changes, actor: _settings(**changes), partial(_changed, name="rules")
    ),
    "repository.options.load_strategy": Route(
        lambda: Call("GET", path_of("settings")), itemgetter("strategy")
    ),
    "repository.options.load_shown_rules": Route(
        lambda: Call("GET", path_of("settings")), dict
    ),
    "admin.reports.sum_usage": Route(
        lambda by, wanted, now: _asked("usage", by=by, **wanted), itemgetter("usage")
    ),
    "admin.reports.count_rules": Route(
        lambda since, now: _asked("rules", since=since), itemgetter("rules")
    ),
    "admin.reports.refused_rows": Route(
        lambda wanted, now: _asked("refusals", **wanted), itemgetter("refusals")
    ),
    "admin.reports.audit_rows": Route(
        lambda wanted, now: _asked("audit", **wanted), itemgetter("changes")
    ),
    "admin.live.notices.list_notices": Route(
        lambda most: _asked("notifications", limit=most), itemgetter("notices")
    ),
    "admin.reports.find_exchange": Route(
        lambda name: Call("GET", path_of("logs", name)), dict
    ),
}
