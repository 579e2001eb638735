"""The real Codex CLI, straight to a failing upstream and through the gateway.

`python -m tests.tools.cli_failures [--only REGEX] [--rounds N] [--binary PATH]`:
for each row the final words, and for each transport the seconds (median) and the
attempts that upstream saw, as a table in Markdown. Exits with 1 when the words differ
without a rule, or the gateway takes longer than the client straight: by more than a
second, or a tenth, beside one inner wait.
"""

import argparse
import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.codex_cli import NEWEST
from tests.tools.cli_failures.row import Row
from tests.tools.cli_failures.rows import ROWS
from tests.tools.cli_failures.trial import Imported, Seen, Trial

STATE_SECONDS = 3.0  # in which a state of the gateway is told
HEAD = """\
| upstream | straight: WebSocket / HTTP | through | last words | earlier |
| --- | --- | --- | --- | --- |"""


@dataclass(frozen=True, slots=True)
class Compared:
    """One row over one transport."""

    straight: Seen | None
    through: Seen

    def judge(self, row: Row) -> str:
        """What there is to say of it; what is out of tolerance in bold."""
        through = self.through
        if self.straight is None:
            is_good = row.told in through.words and through.seconds <= STATE_SECONDS
            return "" if is_good else "**OUT**"
        straight = self.straight
        if straight.is_error and not through.is_error:
            return "better"
        notes = []
        if shown(through.words) != shown(straight.words):
            why = row.rule or "**OTHER WORDS**"
            notes.append(f"straight: {shown(straight.words)}; {why}")
        tolerance = max(1.0, straight.seconds / 10) + row.inner_wait
        if through.seconds > straight.seconds + tolerance:
            notes.append(row.longer or "**LONGER**")
        elif through.seconds < straight.seconds - tolerance:
            notes.append("sooner")
        return "; ".join(notes)


def shown(words: str) -> str:
    """Words as they fit into a cell of the table; of a JSON error its message."""
    text = words.removeprefix("ERROR:").strip().replace("|", "/")
    message = re.match(r'\{.*"(?:message|detail)":"(.*?)"', text)
    text = message[1] if message else text
    return text if len(text) <= 90 else text[:87] + "..."


def line(row: Row, compared: Sequence[Compared]) -> str:
    """The row of the table."""
    cells = []
    for seen in ([one.straight for one in compared], [one.through for one in compared]):
        figures = [
            f"{one.seconds:.1f} s, {one.attempts}" if one else "-" for one in seen
        ]
        over_http_only = len(row.transports) == 1 and not row.transports[0]
        cells.append(" / ".join(["-", *figures] if over_http_only else figures))
    said = list(dict.fromkeys(shown(one.through.words) for one in compared))
    marks = list(dict.fromkeys(mark for one in compared if (mark := one.judge(row))))
    words = " / ".join(said) + (f" ({'; '.join(marks)})" if marks else "")
    return f"| {row.name} | {' | '.join(cells)} | {words} | {row.earlier} |"


async def compare(trial: Trial, row: Row, rounds: int) -> list[Compared]:
    """Straight and through at the same time, so that both find the same machine."""
    found = []
    for websockets in row.transports:
        pairs = [
            await asyncio.gather(
                *(
                    trial.run(row, websockets=websockets, straight=straight)
                    for straight in ((False,) if row.told else (False, True))
                ),
            )
            for _ in range(rounds)
        ]
        through, *straight = (Seen.of(runs) for runs in zip(*pairs, strict=True))
        found.append(Compared(straight[0] if straight else None, through))
    return found


async def compare_all(options: argparse.Namespace) -> bool:
    rows = [row for row in ROWS if re.search(options.only, row.name)]
    places = asyncio.Semaphore(options.jobs)
    with tempfile.TemporaryDirectory(prefix="cli-accounts-") as folder:
        imported = await Imported.make(Path(folder))
        trial = Trial(options.binary, options.retries, imported)

        async def one(row: Row) -> list[Compared]:
            async with places:
                return await compare(trial, row, options.rounds)

        is_good = True
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(row)) for row in rows]
            for row, task in zip(rows, tasks, strict=True):
                compared = await task
                print(line(row, compared), flush=True)
                is_good &= not any("**" in pair.judge(row) for pair in compared)
    return is_good


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.cli_failures")
    parser.add_argument("--only", default="", help="a pattern of the rows' names")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=3, help="rows at a time")
    parser.add_argument("--retries", type=int, help="of the client; else its own")
    parser.add_argument("--binary", default=os.environ.get("CODEX_BIN", str(NEWEST)))
    options = parser.parse_args()
    print(HEAD)
    return 0 if asyncio.run(compare_all(options)) else 1


if __name__ == "__main__":
    sys.exit(main())
