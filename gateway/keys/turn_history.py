"""TurnHistory: what the turns of a key used, and so what its next one may use. Pure.

Expected is the 95th percentile of the last hundred turns. Before a key has finished
five with a model nothing is known of them, and half of what a limit has left is set
aside for one, at most what the model can write.
"""

from bisect import bisect_left, insort
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from math import ceil
from statistics import median
from typing import Any, TypeVar

from gateway.keys.counters import Charge
from gateway.protocol.facts import Usage

LEAST_OUTPUT = 4_000
_PERCENTILE = 0.95
_REMEMBERED_TURNS = 100
_FIRST_TURNS = 5
# Pairs of key and model, and models: those used longest ago are forgotten.
_MOST_PAIRS = 2_000
_MOST_MODELS = 500
# OpenAI's pages of the models, "max output tokens" (2026); the first match counts.
_LARGEST_OUTPUTS = (
    ("gpt-5*-chat*", 16_384),
    ("gpt-4.1*", 32_768),
    ("gpt-4o*", 16_384),
    ("o[134]*", 100_000),
    ("*", 128_000),
)
# Output tokens a second, reasoning included, from the request to the end of the answer:
# of the gpt-5 models at medium effort 40 to 90 (artificialanalysis.ai, 2026).
_USUAL_SPEED = 60.0
# A shorter answer says more about the wait for it than about the speed of writing.
_LEAST_MEASURED = 50

Name = TypeVar("Name")


@lru_cache(maxsize=_MOST_MODELS)
def largest_output(model: str | None) -> int:
    """The most tokens a model writes in one turn."""
    name = model or ""
    return next(most for glob, most in _LARGEST_OUTPUTS if fnmatchcase(name, glob))


class _Latest:
    """The numbers of the last turns, also by size: each turn asks for a percentile."""

    __slots__ = ("_by_size", "_by_time")

    def __init__(self) -> None:
        self._by_time: deque[int] = deque()
        self._by_size: list[int] = []

    def append(self, number: int) -> None:
        if len(self._by_time) == _REMEMBERED_TURNS:
            del self._by_size[bisect_left(self._by_size, self._by_time.popleft())]
        self._by_time.append(number)
        insort(self._by_size, number)

    @property
    def percentile(self) -> int:
        """By the nearest rank; there is a number."""
        return self._by_size[ceil(_PERCENTILE * len(self._by_size)) - 1]


@dataclass(slots=True)
class _Turns:
    outputs: _Latest = field(default_factory=_Latest)
    # Input that no estimate had: what hosted tools found, say.
    unforeseen: _Latest = field(default_factory=_Latest)
    finished: int = 0

    def append(self, output: int, unforeseen: int) -> None:
        self.outputs.append(output)
        self.unforeseen.append(unforeseen)

    @property
    def are_enough(self) -> bool:
        """Whether they say what to expect."""
        return self.finished >= _FIRST_TURNS


class TurnHistory:
    """Of all keys and models, in bounded memory."""

    def __init__(self) -> None:
        self._turns: OrderedDict[tuple[int, str], _Turns] = OrderedDict()
        self._speeds: OrderedDict[str, deque[float]] = OrderedDict()

    def expect(self, key_id: int, name: str, asked: Charge) -> Charge:
        """What to reserve for a turn of which the input and the most output are asked.

        `name` is that of its model; what has none goes by that of its endpoint.
        """
        most = largest_output(asked.model)
        if asked.most_output:
            most = min(most, asked.most_output)
        turns = self._turns.get((key_id, name))
        input, output = asked.usage.input_tokens, LEAST_OUTPUT
        is_expected = turns is not None and turns.are_enough
        if turns is not None and is_expected:
            input += turns.unforeseen.percentile
            output = max(output, turns.outputs.percentile)
        usage = Usage(input, output_tokens=min(output, most))
        return Charge(usage, asked.cost, asked.model, asked.quote, most, is_expected)

    def note_finished(
        self, key_id: int, name: str, usage: Usage, estimated_input: int
    ) -> None:
        """A turn that ran to its end, as upstream counted it."""
        turns = self._turns.get((key_id, name))
        if turns is None:
            turns = self._turns[key_id, name] = _Turns()
        _keep_latest(self._turns, (key_id, name), _MOST_PAIRS)
        unforeseen = max(0, usage.input_tokens - estimated_input)
        turns.append(max(0, usage.output_tokens), unforeseen)
        turns.finished += 1

    def note_broken_off(self, key_id: int, name: str, output_tokens: int) -> None:
        """A turn that did not reach its end: what is known is the least it takes.

        Only more than was expected is remembered, or who always leaves early would be
        expected to use little.
        """
        turns = self._turns.get((key_id, name))
        if turns is None or not turns.are_enough:
            return
        if output_tokens > turns.outputs.percentile:
            turns.append(output_tokens, turns.unforeseen.percentile)

    def note_speed(self, name: str, output_tokens: int, seconds: float) -> None:
        """How long upstream took for a whole answer."""
        if output_tokens >= _LEAST_MEASURED and seconds > 0:
            self._speeds.setdefault(name, deque(maxlen=_REMEMBERED_TURNS)).append(
                output_tokens / seconds
            )
            _keep_latest(self._speeds, name, _MOST_MODELS)

    def speed(self, name: str) -> float:
        """Output tokens a second, reasoning included, of a model's last answers."""
        speeds = self._speeds.get(name)
        return median(speeds) if speeds else _USUAL_SPEED


def _keep_latest(entries: OrderedDict[Name, Any], used: Name, most: int) -> None:
    entries.move_to_end(used)
    if len(entries) > most:
        entries.popitem(last=False)
