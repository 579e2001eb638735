"""Command line of the benchmark."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from tests.tools.bench import checks, figures, picture, targets
from tests.tools.bench.bench import Bench
from tests.tools.bench.results import Results
from tests.tools.bench.scenarios import FULL, QUICK, SCENARIOS, TITLES, Form
from tests.tools.bench.targets import Starter

_SLACK = 2.0  # of the quick form: a shared machine must not make it flap


@click.command()
@click.option("--quick", is_flag=True, help="Short form; bars twice as wide.")
@click.option("--only", default="", help="Scenarios, such as 1,3.")
@click.option("--rounds", type=int, help="Interleaved rounds.")
@click.option("--soak", type=float, help="Minutes of the long run of scenario 6.")
@click.option("--without", multiple=True, help="Leave a target out.")
@click.option("--relay", multiple=True, help="NAME=FILE.py: one more relay.")
@click.option("--peers", is_flag=True, help="LiteLLM too, from PyPI.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Another checkout, whose gateway runs alternately with this one.",
)
@click.option("--watchers", type=int, default=0, help="So many on the live page.")
@click.option("--json", "json_file", type=click.Path(path_type=Path))
@click.option("--svg", "svg_file", type=click.Path(path_type=Path))
def main(**options: Any) -> None:
    """Speed of the gateway beside nginx and a bare relay, in one run.

    Exits with 1 when a bar is missed, with 2 when something did not run.
    """
    form = QUICK if options["quick"] else FULL
    if options["soak"] is not None:
        form = replace(form, soak=options["soak"] * 60)
    slack = _SLACK if options["quick"] else 1.0
    chosen = [part for part in options["only"].split(",") if part] or list(SCENARIOS)
    starters = _starters(options["without"], options["relay"], options["peers"])
    if options["against"]:
        starters[checks.BEFORE] = targets.gateway_of(options["against"].absolute())
    if options["watchers"]:
        starter = starters[checks.SUBJECT]
        starters[checks.SUBJECT] = targets.watched(starter, options["watchers"])
    try:
        results = _measure(starters, form, options["rounds"] or form.rounds, chosen)
    except RuntimeError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    verdicts = list(checks.judge(results, slack=slack))
    click.echo(figures.table(results))
    if options["against"]:
        click.echo(figures.comparison(results))
    click.echo("\n".join(map(str, ["", *results.remarks, *verdicts])))
    if options["json_file"]:
        options["json_file"].write_text(figures.as_json(results, verdicts))
    if options["svg_file"]:
        options["svg_file"].write_text(picture.draw(results))
    sys.exit(0 if all(verdict.holds for verdict in verdicts) else 1)


def _measure(
    starters: dict[str, Starter], form: Form, rounds: int, chosen: list[str]
) -> Results:
    with Bench(starters, rounds) as bench:
        for number in chosen:
            started = time.monotonic()
            click.echo(f"{number}. {TITLES[number]} … ", err=True, nl=False)
            SCENARIOS[number](bench, form)
            click.echo(f"{time.monotonic() - started:.0f} s", err=True)
        return bench.results


def _starters(
    without: tuple[str, ...], relays: tuple[str, ...], peers: bool
) -> dict[str, Starter]:
    starters = dict(targets.STARTERS)
    if peers:
        from tests.tools.bench import peers as others  # only then: it needs the network

        starters |= others.STARTERS
    for pair in relays:
        name, _, file = pair.partition("=")
        starters[name] = targets.relay(str(Path(file).absolute()), name)
    return {name: start for name, start in starters.items() if name not in without}


if __name__ == "__main__":
    main()
