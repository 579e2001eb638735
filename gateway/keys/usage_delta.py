"""What changes of a key's standing, in numbers that another process can take over."""

from typing import NamedTuple, Self


class Held(NamedTuple):
    """Of one limit in one window: what is more reserved and more used than before."""

    limit_id: int
    window_start: int  # unix seconds
    reserved: int
    used: int


class Move(NamedTuple):
    """One step of one key; in a whole standing the steps since nothing."""

    key_id: int
    running: int = 0  # turns more at a time
    starts: tuple[float, ...] = ()  # requests that count in the rate, unix seconds
    held: tuple[Held, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.running or self.starts or self.held)

    def as_list(self) -> list[object]:
        """For JSON."""
        held = [list(one) for one in self.held]
        return [self.key_id, self.running, list(self.starts), held]

    @classmethod
    def of_list(cls, told: list) -> Self:  # type: ignore[type-arg]
        key_id, running, starts, held = told
        return cls(key_id, running, tuple(starts), tuple(Held(*one) for one in held))
