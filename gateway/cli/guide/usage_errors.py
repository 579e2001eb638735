"""What was typed and cannot be meant, in one line, with what likely was."""

import click
from click.exceptions import NoSuchCommand

from gateway.cli.guide.exit_status import ExitStatus
from gateway.cli.output import error_lines
from gateway.settings.suggestions import nearest, question

_WHOLE_NUMBER = ("a valid integer range", "a whole number")


class UsageLine(click.ClickException):
    """A mistake in what was typed, told whole."""

    exit_code = ExitStatus.USAGE


def one_line(error: click.UsageError) -> click.ClickException:
    """The error as one line: what is wrong, what was likely meant, where to look."""
    told = [error.message]
    if not isinstance(error, click.NoSuchOption | NoSuchCommand):
        told = [error.format_message()]
    if told[0][-1:] not in (".", "?"):
        told[0] += "."
    told += [question(_meant(error))]
    if error.ctx is not None:
        told.append(f"`{error.ctx.command_path} --help` has examples.")
    # click puts the choices of what is missing on lines of their own.
    words = " ".join(" ".join(filter(None, told)).split())
    return UsageLine(error_lines(words.replace(*_WHOLE_NUMBER)))


def _meant(error: click.UsageError) -> list[str]:
    context = error.ctx
    if isinstance(error, NoSuchCommand) and context is not None:
        return _commands(error.command_name, context)
    if isinstance(error, click.NoSuchOption) and context is not None:
        return _options(error.option_name, context)
    parameter = error.param if isinstance(error, click.BadParameter) else None
    if parameter is not None and isinstance(parameter.type, click.Choice):
        # click keeps the value in its sentence alone.
        value = error.message.partition(" is not ")[0].strip("'\"")
        return nearest(value, map(str, parameter.type.choices))
    return []


def _commands(name: str, context: click.Context) -> list[str]:
    """Of the group, or of one inside it: `login` is one of `accounts`."""
    group = context.command
    assert isinstance(group, click.Group)
    names = group.list_commands(context)
    inside = [
        f"{one} {name}"
        for one in names
        if isinstance(found := group.get_command(context, one), click.Group)
        and name in found.list_commands(context)
    ]
    return inside or nearest(name, {*names, *_known_options(context)})


def _options(name: str, context: click.Context) -> list[str]:
    """A single letter stands for the long names that begin with it."""
    known = _known_options(context)
    if len(name.lstrip("-")) == 1:
        return sorted(one for one in known if one.startswith("-" + name))[:2]
    return nearest(name, known)


def _known_options(context: click.Context) -> set[str]:
    return {
        option
        for one in context.command.get_params(context)
        if isinstance(one, click.Option) and not one.hidden
        for option in (*one.opts, *one.secondary_opts)
    }
