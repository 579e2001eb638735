"""The clients that are run, as data: packages, script, and the lines expected of it.

A script does what the client's README shows, and prints `NAME: TEXT` lines of what the
client itself made of the answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

# What a line has to hold, by the last word of its name.
EXPECTED = {
    "plain": "forty two",
    "stream": "one| two| three",
    "called": "Rain in A scripted answer",
    "tool": "The tool has answered; all done.",
    "structured": "A scripted answer",
    "error": "gpt-unknown",
    "history": "and on",  # after a turn with reasoning, which is sent back
}
STEPS = ("plain", "stream", "tool", "structured", "error")
RESPONSES = tuple(f"responses {step}" for step in STEPS)
CHAT = tuple(f"chat {step}" for step in STEPS)
ALL = (*RESPONSES, *CHAT, "called")
# What a program for the terminal prints is no list of deltas.
TERMINAL = {"stream": "one two three"}


@dataclass(frozen=True, slots=True)
class Client:
    """A program of others, installed in an environment of its own."""

    name: str
    packages: tuple[str, ...]  # `NAME==VERSION` of PyPI, `NAME@VERSION` of npm
    script: str
    lines: tuple[str, ...] = ALL
    expected: Mapping[str, str] = field(default_factory=dict)  # other words than usual
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_python(self) -> bool:
        return "==" in self.packages[0]

    @property
    def version(self) -> str:
        """That of the first package, which is the client."""
        return self.packages[0].split("==" if self.is_python else "@")[-1]

    def expects(self, line: str) -> str:
        step = line.split()[-1]
        return self.expected.get(step, EXPECTED[step])


CLIENTS = (
    Client(
        "openai, Python",
        ("openai==3.57.0",),
        "openai_python.py",
        lines=(*ALL, "responses history"),
    ),
    Client("openai, Node", ("openai@7.59.0", "zod@4.6.7"), "openai_node.mjs"),
    Client(
        "openai-agents, Python",
        ("openai-agents==0.24.0",),
        "openai_agents_python.py",
        lines=(*ALL, "responses history", "chat history"),
    ),
    Client(
        "openai-agents, Node",
        ("@openai/agents@0.20.0", "zod@4.6.7"),
        "openai_agents_node.mjs",
    ),
    Client(
        "langchain",
        ("langchain-openai==1.7.4", "langchain==1.5.2"),
        "langchain_client.py",
    ),
    Client(
        "llama-index",
        ("llama-index-llms-openai==0.8.3", "llama-index-core==0.14.25"),
        "llama_index_client.py",
    ),
    Client(
        "pydantic-ai", ("pydantic-ai-slim[openai]==2.68.0",), "pydantic_ai_client.py"
    ),
    Client(
        "llm",
        ("llm==0.36",),
        "llm.sh",
        expected=TERMINAL,
    ),
    Client(
        "litellm",
        ("litellm==1.110.2",),
        "litellm_client.py",
        lines=(*CHAT, "called", "responses plain", "responses stream"),
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},  # no price list from the web
    ),
    Client(
        "instructor",
        ("instructor==1.17.0",),
        "instructor_client.py",
        lines=(
            *("chat tools structured", "chat strict tools structured"),
            *("chat json schema structured", "responses tools structured"),
            *("chat stream", "chat error"),
        ),
        expected={"stream": "A scripted answer"},
    ),
    Client(
        "AI SDK",
        ("@ai-sdk/openai@4.0.118", "ai@7.0.173", "zod@4.6.7"),
        "ai_sdk.mjs",
        lines=(*ALL, "responses history", "chat history"),
    ),
    Client(
        "opencode",
        ("opencode-ai@1.18.33",),
        "opencode.sh",
        lines=tuple(
            f"{api} {step}"
            for api in ("responses", "chat")
            for step in ("stream", "tool", "error")
        ),
        expected=TERMINAL,
    ),
    Client(
        "codex-sdk",
        ("@openai/codex-sdk@0.163.0",),
        "codex_sdk.mjs",
        lines=(*STEPS, "called"),
        expected=TERMINAL,
    ),
    Client(
        "aider",
        ("aider-chat==0.86.2",),
        "aider.sh",
        lines=("chat plain", "chat stream", "chat error"),
        expected=TERMINAL,
    ),
)
