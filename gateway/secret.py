"""Secret: a text that no repr, log or pickle shows."""

import hmac
from typing import NoReturn


class Secret:
    """A text that shows itself only when asked by name.

    No repr, str or format, pickle or JSON has it, so it reaches no log, traceback
    or dump by accident.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._bytes(), other._bytes())

    def __hash__(self) -> int:
        return hash(("secret", self._value))

    def _bytes(self) -> bytes:
        return self._value.encode("utf-8", "surrogatepass")

    # `copy` and `dataclasses.asdict` may pass it on; it never changes.
    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled")
