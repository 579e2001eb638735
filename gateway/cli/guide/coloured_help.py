"""Help on a terminal, drawn by rich-click; imported when it is shown.

Its own command classes would cost each command 20 ms, and put errors into boxes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.text import Text
from rich_click import (
    RichCommandPanel,
    RichContext,
    RichHelpFormatter,
    RichOptionPanel,
)
from rich_click.rich_help_configuration import RichHelpConfiguration
from rich_click.rich_help_rendering import RichClickRichPanel, get_rich_help_text


def coloured_page(
    ctx: click.Context,
    groups: Mapping[str, Sequence[click.Parameter]],
    commands: Mapping[str, Iterable[str]],
    examples: Sequence[str],
) -> str:
    """The same as the plain page, in panels."""
    command: Any = ctx.command  # a plain one, which all of these take
    context = RichContext(command, info_name=ctx.info_name, parent=ctx.parent)
    config = RichHelpConfiguration(max_width=100, text_markup=None)
    formatter = RichHelpFormatter(config=config)
    command.format_usage(ctx, formatter)
    get_rich_help_text(command, context, formatter)
    for title, parameters in groups.items():
        names = [one.opts[0] for one in parameters]
        panel = RichOptionPanel(title, options=names)
        formatter.write(panel.render(command, context, formatter))
    for title, listed in commands.items():
        listing = RichCommandPanel(title, commands=list(listed))
        formatter.write(listing.render(command, context, formatter))
    if examples:
        lines = Text("\n").join(map(Text, examples))
        formatter.write(RichClickRichPanel(lines, title="Examples", title_align="left"))
    return formatter.getvalue().rstrip("\n")
