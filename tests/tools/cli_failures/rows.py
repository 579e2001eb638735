"""What upstream does to the Codex CLI, row by row."""

from tests.tools.cli_failures import breaks, refusals, states

ROWS = (*refusals.ROWS, *breaks.ROWS, *states.ROWS)
