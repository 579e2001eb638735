"""Access: admits or refuses a request, from its address and headers alone.

Nothing here reads a body, waits or raises anything but a GatewayError: it runs before
everything else, on whatever a stranger sends.
"""

from gateway.admission.client_address import (
    AccessPolicy,
    RequestFacts,
    client_network,
    is_known_without_key,
    why_key_needed,
)
from gateway.admission.failed_keys import FailedKeys
from gateway.admission.origins import check_origin, is_trusted_app
from gateway.admission.presented_token import (
    DeviceTokens,
    PresentedTokens,
    advice,
    presented_token,
)
from gateway.errors import GatewayError, InvalidApiKey, TooManyFailedKeys
from gateway.keys.key import Key, KeyRing
from gateway.keys.visitors import Visitors
from gateway.settings import Settings


class Access:
    """Authenticates requests, by the policy of their route."""

    def __init__(
        self, settings: Settings, ring: KeyRing, devices: DeviceTokens | None = None
    ) -> None:
        self.visitors = Visitors()
        self._check = PresentedTokens(ring, devices).check
        self._settings = settings
        self._ring = ring
        self._failed = FailedKeys()

    def admit(self, facts: RequestFacts, now: float) -> Key | None:
        """The key of an admitted request, None where it needs none.

        Raises ForbiddenOrigin, InvalidApiKey or TooManyFailedKeys. `now` is in
        unix seconds.
        """
        if is_trusted_app(facts, self._settings):
            is_preflight = facts.policy is AccessPolicy.PREFLIGHT
            return None if is_preflight else self._valid_key(facts, now)
        check_origin(facts, self._settings)
        if visitor := self.visitors.find(presented_token(facts.headers), now):
            return visitor
        if facts.policy is AccessPolicy.SIDE:
            return self._present_key(facts, now)
        if facts.policy is AccessPolicy.PROXY and not self._ring.ever_made:
            if is_known_without_key(facts, self._settings):
                return None
            raise InvalidApiKey(why_key_needed(facts, self._settings))
        return self._valid_key(facts, now)

    def is_visit(self, facts: RequestFacts, now: float) -> bool:
        """Whether a doctor sent it, as whom or as nobody: it leaves no row."""
        told = facts.headers.get("x-gateway-visit") or presented_token(facts.headers)
        return self.visitors.find(told, now) is not None

    def _present_key(self, facts: RequestFacts, now: float) -> Key | None:
        # The token here is often the client's own ChatGPT login: no failure.
        key, flaw = self._check(facts, presented_token(facts.headers) or "", now)
        return None if flaw else key

    def _valid_key(self, facts: RequestFacts, now: float) -> Key:
        token = presented_token(facts.headers)
        if token is None:
            missing = InvalidApiKey("Missing API key in Authorization header")
            missing.for_owner = {"reason": "no key was presented"}
            raise missing
        key, flaw = self._check(facts, token, now)
        if key is not None and flaw is None:
            return key
        error: GatewayError | None = advice(flaw)
        if error is None:
            # Only after the lookup: a valid key is admitted whatever others behind
            # the same address present. Nor does the answer tell one flaw from another.
            wait = self._failed.count(client_network(facts, self._settings), now)
            # A handshake is never answered 429: clients would retry it at once.
            is_late = wait and not facts.is_upgrade
            error = TooManyFailedKeys(retry_after=wait) if is_late else InvalidApiKey()
        error.for_owner = {"reason": flaw, "api_key_id": key and key.id}
        raise error
