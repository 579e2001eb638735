"""How probable the tokens of an answer were, as a chat completion tells it."""

from typing import Any

from gateway.protocol.chat.citations import Part


class Logprobs:
    """Gives out each token's once: with the deltas, or with what tells a part whole."""

    def __init__(self) -> None:
        self._given: dict[Part, int] = {}  # tokens

    def piece(self, part: Part, told: Any) -> list[dict[str, Any]]:
        """Those of a delta."""
        tokens = _tokens(told)
        if tokens:
            self._given[part] = self._given.get(part, 0) + len(tokens)
        return tokens

    def rest(self, part: Part, told: Any) -> list[dict[str, Any]]:
        """Those of the whole part that no delta has told."""
        given = self._given.get(part, 0)
        return self.piece(part, told[given:]) if isinstance(told, list) else []


def _tokens(told: Any) -> list[dict[str, Any]]:
    """In chat's shape, which spells out what may be absent here."""
    return [
        {
            **_token(one),
            "top_logprobs": list(map(_token, _objects(one.get("top_logprobs")))),
        }
        for one in _objects(told)
    ]


def _objects(told: Any) -> list[dict[str, Any]]:
    found = told if isinstance(told, list) else []
    return [one for one in found if isinstance(one, dict)]


def _token(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "token": str(one.get("token", "")),
        "logprob": one.get("logprob", 0.0),
        "bytes": one.get("bytes"),
    }
