"""Command line of the soak."""

import sys
import tempfile
from pathlib import Path

import click
import uvloop

from tests.tools.soak.overload import Load, overload
from tests.tools.soak.soak import Profile, soak

GROWTH = 1.05


@click.command()
@click.option("--minutes", type=float, default=2.0, show_default=True)
@click.option("--conversations", type=int, default=200, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--overload", "is_overload", is_flag=True, help="Too many turns instead.")
@click.option("--folder", type=click.Path(path_type=Path), help="Kept, to look into.")
@click.option("--json", "json_file", type=click.Path(path_type=Path))
def main(folder, is_overload, json_file, **profile):
    """Many conversations with one gateway, whose accounts fail all the time.

    Exits with 1 when something is wrong.
    """
    with tempfile.TemporaryDirectory() as passing:
        folder = folder or Path(passing)
        if is_overload:
            found = uvloop.run(overload(folder, Load()))
            wrong = list(found.wrong())
        else:
            seconds = profile.pop("minutes") * 60
            found = uvloop.run(soak(folder, Profile(seconds, **profile)))
            wrong = list(found.wrong(GROWTH))
    click.echo(found.table())
    if json_file:
        json_file.write_text(found.as_json())
    click.echo("\n".join(["", *(wrong or ["Nothing is wrong."])]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
