"""Command line of the soak."""

import sys
import tempfile
from pathlib import Path

import click
import uvloop

from tests.soak.soak import Profile, soak

GROWTH = 1.05


@click.command()
@click.option("--minutes", type=float, default=2.0, show_default=True)
@click.option("--conversations", type=int, default=200, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Kept, to look into.")
@click.option("--json", "json_file", type=click.Path(path_type=Path))
def main(minutes, conversations, seed, folder, json_file):
    """Many conversations with one gateway, whose accounts fail all the time.

    Exits with 1 when something is wrong.
    """
    profile = Profile(minutes * 60, seed, conversations)
    with tempfile.TemporaryDirectory() as passing:
        found = uvloop.run(soak(folder or Path(passing), profile))
    click.echo(found.table())
    if json_file:
        json_file.write_text(found.as_json())
    faults = list(found.wrong(GROWTH))
    click.echo("\n".join(["", *faults] if faults else ["", "Nothing is wrong."]))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
