"""`run.py recorder`: what the flight recorder wrote when the loop was blocked."""

from typing import Any

import click

from gateway.cli.base import local_settings_and_json
from gateway.cli.guide.help_page import Command
from gateway.cli.output import format_time, print_json, print_table, text
from gateway.monitoring.recorder.files import read_recording, recordings
from gateway.settings import Settings

SHOWN_SAMPLES = 20
_COLUMNS = ("time", "lag_ms", "turns", "sockets", "waiting", "log_rows", "silent")


@click.command(cls=Command)
@local_settings_and_json
def recorder(settings: Settings, as_json: bool) -> None:
    """The last recording of a blocked loop.

    The blocks, and the time around them.
    """
    there = recordings(settings.data_dir)
    if not there:
        raise click.ClickException("no recording: the loop was not blocked")
    if as_json:
        for line in read_recording(there[-1]):
            print_json(line)
        return
    told = list(read_recording(there[-1]))
    click.echo(there[-1])
    for line in told:
        if line["kind"] == "block":
            _print_block(line)
    samples = [line for line in told if line["kind"] == "sample"]
    click.echo()
    print_table(map(_readable, samples[-SHOWN_SAMPLES:]), _COLUMNS, as_json=False)


def _print_block(block: dict[str, Any]) -> None:
    where = f" in {text(block['where'])}" if block["where"] else ""
    cause = f"{block['blocked_ms']} ms, {text(block['cause'])}{where}"
    click.echo(f"\n{format_time(block['at'])}  {cause}")
    for stack in block["stacks"][:1]:
        click.echo(f"  after {stack['after_ms']} ms:")
        for frame in stack["frames"]:
            click.echo(f"    {text(frame)}")


def _readable(sample: dict[str, Any]) -> dict[str, Any]:
    """`silent`: the longest that a stream's upstream has been."""
    silent = max((one.get("heard", one["age"]) for one in sample["streams"]), default=0)
    return {**sample, "time": format_time(sample["at"]), "silent": f"{silent:.1f} s"}
