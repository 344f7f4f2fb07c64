"""Makes commands of functions: a function's annotated parameters are its options and arguments."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import click

#: The group of options that a command has for itself alone.
_OPTIONS = "Options"


class Option:
    """An option, to be put into a parameter's annotation.

    Attributes:
        flags: its spellings; by default `--` and the parameter's name.
        metavar: the word for its value in the help; by default the last word of the parameter's name.
        help: a sentence on it.
        group: the heading below which the help shows it.
        values: the values that a shell completes.
        alone: the value that it has where it is given without one; None if it needs one.
    """

    def __init__(
        self,
        *flags: str,
        metavar: str | None = None,
        help: str,
        group: str = _OPTIONS,
        values: Sequence[str] = (),
        alone: str | None = None,
    ) -> None:
        self.flags = flags
        self.metavar = metavar
        self.help = help
        self.group = group
        self.values = values
        self.alone = alone


class Argument:
    """An argument, to be put into a parameter's annotation.

    Attributes:
        metavar: the word for it in the help, in brackets where it may be left out.
        help: a sentence on it.
        values: the only values that it takes; none if it takes any.
    """

    def __init__(self, metavar: str, *, help: str = "", values: Sequence[str] = ()) -> None:
        self.metavar = metavar
        self.help = help
        self.values = values


class _Argument(click.Argument):
    """An argument that the help explains as it does options."""

    def __init__(self, *args: Any, help: str, **kwargs: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **kwargs)
        self.explanation = help  # newer releases of click would show what is called `help` a second time
        self.group = "Arguments"

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """The argument's line in the help."""
        return self.make_metavar(ctx), self.explanation


class _Option(click.Option):
    """An option that stands below a heading of the help."""

    def __init__(self, *args: Any, group: str, **kwargs: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **kwargs)
        self.group = group


class Group(click.Group):
    """A group whose help shows its commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names."""
        del ctx
        return list(self.commands)


class Command(click.Command):
    """A command whose help shows its options in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes a section for each group of options."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(parameter, "group", _OPTIONS), []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


def command(
    group: click.Group,
    name: str | None = None,
    *,
    cls: type[Command] = Command,
    short_help: str | None = None,
    **settings: Any,  # noqa: ANN401 - click's own
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds a function to a group, as the command of this name, by default that of the function."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        made = cls(
            name or function.__name__,
            callback=function,
            params=parameters(function),
            help=inspect.getdoc(function),
            short_help=short_help,
            **settings,
        )
        group.add_command(made)
        return function

    return add


def parameters(function: Callable[..., Any]) -> list[click.Parameter]:
    """The options and arguments that a function's annotations declare."""
    return [
        _made(name, *get_args(each.annotation), default=each.default)
        for name, each in inspect.signature(function).parameters.items()
        if get_origin(each.annotation) is Annotated
    ]


def _made(name: str, kind: Any, declared: Option | Argument, *, default: Any) -> click.Parameter:  # noqa: ANN401 - types
    required = default is inspect.Parameter.empty
    kinds = [each for each in (kind, *get_args(kind)) if each is not type(None)]
    many = any(get_origin(each) is list for each in kinds)
    paths = any(each is Path or Path in get_args(each) for each in kinds)
    plain: Any = Path if paths else int if int in kinds else str
    if isinstance(declared, Argument):
        return _Argument(
            [name],
            type=click.Choice(declared.values) if declared.values else click.UNPROCESSED if many else plain,
            required=required,
            nargs=-1 if many else 1,
            metavar=declared.metavar,
            help=declared.help,
        )
    flags = declared.flags or (f"--{name.replace('_', '-')}",)
    if kind is bool:
        return _Option([*flags, name], is_flag=True, default=False, help=declared.help, group=declared.group)
    return _Option(
        [*flags, name],
        type=plain,
        required=required,
        multiple=many,
        **({} if required or many else {"default": default}),
        **({} if declared.alone is None else {"is_flag": False, "flag_value": declared.alone}),
        metavar=declared.metavar or name.upper().rpartition("_")[2],
        help=declared.help,
        group=declared.group,
        shell_complete=lambda _ctx, _parameter, begun: [value for value in declared.values if value.startswith(begun)],
    )
