"""KeyPolicy: what the client's key, and the gateway's owner, impose on requests."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from schemas.policy.tools import TypeRule


class KeyPolicy(NamedTuple):
    """What the client's key imposes on its requests."""

    model: str | None = None
    effort: str | None = None
    tier: str | None = None
    # The key restricts anything: the object that was checked is what must be
    # sent, for in the client's bytes a repeated field could say something else.
    restricted: bool = False
    tools: tuple[TypeRule, ...] = ()  # everybody's rules, then the key's
    aliases: Mapping[str, str] = MappingProxyType({})  # the models they stand for
    # Whether an entry of `client_metadata` speaks for the client's own login.
    is_of_login: Callable[[str, object], bool] = lambda name, value: False

    @property
    def imposes(self) -> bool:
        return bool(self.restricted or self.model or self.effort or self.tier)

    def renames(self, model: str) -> bool:
        """Whether it is an alias by which the client is to be answered."""
        return self.model is None and model in self.aliases


NO_KEY_POLICY = KeyPolicy()


def resolve_alias(
    document: dict[str, Any], policy: KeyPolicy
) -> tuple[dict[str, Any], list[str]]:
    """The document under the name of a model, once, for an alias stands for no other.

    The same document where its model is none.
    """
    name = document.get("model")
    model = policy.aliases.get(name) if isinstance(name, str) else None
    if model is None:
        return document, []
    return {**document, "model": model}, ["model alias resolved"]


def drop_login(
    document: dict[str, Any], policy: KeyPolicy
) -> tuple[dict[str, Any], list[str]]:
    """The document without what would speak for another login upstream."""
    metadata = document.get("client_metadata")
    if not isinstance(metadata, dict):
        return document, []
    kept = {
        name: value
        for name, value in metadata.items()
        if not policy.is_of_login(name, value)
    }
    if len(kept) == len(metadata):
        return document, []
    changes = ["client_metadata of the client's login dropped"]
    return {**document, "client_metadata": kept}, changes


def enforce_key_policy(payload: dict[str, Any], policy: KeyPolicy) -> list[str]:
    """Put what the key enforces into a valid payload, in place of what it holds."""
    changes, items = [], payload["input"]
    for name, value in (("model", policy.model), ("service_tier", policy.tier)):
        if value and payload.get(name) != value:
            payload[name] = value
            changes.append(f"{name} enforced")
    if policy.effort and effort_of(payload) != policy.effort:
        payload["reasoning"] = _with_effort(payload.get("reasoning"), policy.effort)
        changes.append("reasoning.effort enforced")
    if policy.effort and any(_sets_effort(item, policy.effort) for item in items):
        payload["input"] = [
            {**item, "reasoning": _with_effort(item["reasoning"], policy.effort)}
            if _sets_effort(item, policy.effort)
            else item
            for item in items
        ]
        changes.append("configuration_update enforced")
    return changes


def _sets_effort(item: Any, enforced: str) -> bool:
    """Whether an item inside the input sets the effort anew, to another one."""
    if not isinstance(item, dict) or item.get("type") != "configuration_update":
        return False
    reasoning = item.get("reasoning")
    if not isinstance(reasoning, dict):
        return False
    return reasoning.get("effort") not in (None, enforced)


def _with_effort(reasoning: Any, effort: str) -> dict[str, Any]:
    return {**(reasoning or {}), "effort": effort}


def effort_of(payload: Mapping[str, Any]) -> str | None:
    """The reasoning effort that a valid payload asks for."""
    effort: str | None = (payload.get("reasoning") or {}).get("effort")
    return effort
