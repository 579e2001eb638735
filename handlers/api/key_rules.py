"""What a client's key, and the gateway's owner, impose on payloads."""

from gateway.keys.key import Key
from gateway.keys.request_rules import RequestRules
from gateway.protocol.headers import is_metadata_of_login
from schemas.policy.key_policy import KeyPolicy


def key_policy(key: Key | None, rules: RequestRules) -> KeyPolicy:
    """What a key enforces on the payload, and everybody's rules."""
    if key is None:
        return KeyPolicy(
            tools=rules.tools, aliases=rules.models, is_of_login=is_metadata_of_login
        )
    both = rules.with_those_of(key.rules)
    enforced = key.enforced_model
    return KeyPolicy(
        model=enforced and both.models.get(enforced, enforced),
        effort=key.enforced_effort,
        tier=key.enforced_tier,
        restricted=key.is_restricted,
        tools=both.tools,
        aliases=both.models,
        is_of_login=is_metadata_of_login,
    )
