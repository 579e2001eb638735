"""Who uses the demo, and what each of them asks for."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_AGENTS = {
    "codex": "codex_exec/0.171.0 (Debian 13.0.0; x86_64) demo",
    "v1": "OpenAI/Python 3.57.0",
    "chat": "OpenAI/JS 7.59.0",
}
_PATHS = {
    "codex": "/backend-api/codex/responses",
    "v1": "/v1/responses",
    "chat": "/v1/chat/completions",
}


@dataclass(frozen=True, slots=True)
class Person:
    """A key's name and rules, and how its holder works."""

    name: str
    surfaces: tuple[str, ...]
    models: tuple[str, ...]
    tokens: int  # of a usual request
    rules: Mapping[str, Any] = field(default_factory=dict)  # as `create_key` takes them


PEOPLE = (
    Person("ada-laptop", ("codex", "socket"), ("gpt-6.1-sol", "gpt-5.5"), 24_000),
    Person(
        "grace-ide",
        ("socket",),
        ("gpt-5.5",),
        9_000,
        {"limits": ["tokens 3M/7d"], "concurrency": 8},
    ),
    # Its limit is full within some minutes.
    Person("ci", ("codex",), ("gpt-5.4-mini",), 3_000, {"limits": ["requests 40/1d"]}),
    Person(
        "chatbot",
        ("chat", "v1"),
        ("gpt-5.4-mini", "gpt-5.5"),
        1_200,
        {"models": ["gpt-5*"], "rpm": 60, "expires": "30d"},
    ),
)
LEFT = "demo:long(25)"  # who asks for this does not stay to the end
# How often what happens; "no-such-model" is the client's own mistake.
_PROMPTS = {
    "demo:usage({tokens}; {output}; {cached})": 60,
    "demo:reasoning(I have thought about it.)": 10,
    "demo:long(20)": 8,
    "demo:refusal": 3,
    "demo:incomplete": 3,
    "demo:failed(invalid_prompt)": 3,
    "demo:cut": 2,
    LEFT: 3,
    "no-such-model": 2,
}
# What also happens now; it takes its time, or the accounts away for a while.
_OF_NOW = {
    "demo:pause(4)": 20,
    "demo:error": 2,
    "demo:overloaded": 2,
    "demo:usage_limit(15)": 1,
}


@dataclass(frozen=True, slots=True)
class DemoTurn:
    """One request of one person."""

    person: Person
    surface: str
    model: str
    prompt: str

    @property
    def is_left(self) -> bool:
        return self.prompt == LEFT

    @property
    def path(self) -> str:
        return _PATHS["codex" if self.surface == "socket" else self.surface]

    @property
    def headers(self) -> dict[str, str]:
        kind = "codex" if self.surface == "socket" else self.surface
        return {"user-agent": _AGENTS[kind]}

    @property
    def payload(self) -> dict[str, Any]:
        message = {"role": "user", "content": self.prompt}
        told: dict[str, Any] = {"model": self.model, "stream": True}
        if self.surface == "chat":
            return {**told, "messages": [message]}
        told["input"] = [{"type": "message", **message}]
        if self.surface == "v1":
            return told
        reasoning = {"effort": "medium"}
        return {**told, "instructions": "", "store": False, "reasoning": reasoning}


def next_turn(rng: random.Random, *, is_past: bool = False) -> DemoTurn:
    """Somebody's next one. Sockets are not among those of past days."""
    person = rng.choice(PEOPLE)
    surface = rng.choice(person.surfaces)
    if is_past and surface == "socket":
        surface = "codex"
    chances = _PROMPTS if is_past else _PROMPTS | _OF_NOW
    (prompt,) = rng.choices([*chances], [*chances.values()])
    model = rng.choice(person.models)
    if prompt == "no-such-model":
        model, prompt = "gpt-5-typo", "Who are you?"
    tokens = round(person.tokens * rng.lognormvariate(0, 0.6))
    output, cached = round(tokens * rng.uniform(0.01, 0.2)), round(tokens * 0.7)
    prompt = prompt.format(tokens=tokens, output=output, cached=cached)
    return DemoTurn(person, surface, model, prompt)
