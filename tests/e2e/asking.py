"""Codex runs that must not show what goes on behind the gateway."""

import asyncio

from gateway.demo.events import ScriptedTurn

# Outside of the client's sandbox, which warns of what a machine lacks.
UNSANDBOXED = "--dangerously-bypass-approvals-and-sandbox"
RESUME = ("resume", "--last")
ALL_DONE = "The tool has answered; all done."


async def ask(cli, prompt, *options):
    """One run; outside of the sandbox, for that warns of what the machine lacks."""
    return await cli.exec(prompt, UNSANDBOXED, *options)


def said(run):
    """What the user reads; nothing of trouble is among it."""
    assert run.returncode == 0, run.stderr
    for word in ("ERROR", "WARN", "warning", "Reconnecting", "Falling back"):
        assert word not in run.stderr, run.stderr
    return run.stdout.strip()


def types(received):
    return [item.get("type") for item in received.history]


def texts(received):
    """What the user has said by then."""
    return [
        part["text"]
        for item in received.history
        if item.get("role") == "user"
        for part in item["content"]
        if not part["text"].startswith("<")  # the client's own context
    ]


def calls(command):
    """A turn that has the client run a command."""
    return ScriptedTurn().function_call("exec_command", {"cmd": command}).completed()


class Waiting:
    """A tool that runs until it is told to end: the time between two turns."""

    def __init__(self, upstream, cli):
        self._begun = cli.workdir / "begun"
        self._go_on = cli.workdir / "go-on"
        wait = "touch begun; while [ ! -e go-on ]; do sleep 0.02; done"
        upstream.answer(calls(wait).answer())

    async def begun(self):
        async with asyncio.timeout(30):
            while not self._begun.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def end(self):
        self._go_on.touch()
