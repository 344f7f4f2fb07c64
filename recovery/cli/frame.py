"""How the command line is read, and what its help looks like."""

import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand

#: What typer raises for a command line that it can't read; its class has no public name, and so no type.
_Unreadable: Any = typer.BadParameter.__bases__[0]


def run_command_line(app: typer.Typer) -> NoReturn:
    """Runs a command and exits; what can't be read is told in words, or to a machine as it asked."""
    try:
        code = app(standalone_mode=False)
    except _Unreadable as error:
        ours = sys.argv[: sys.argv.index("--")] if "--" in sys.argv else sys.argv  # the rest is another's command line
        if {"--json", "--events"}.isdisjoint(ours):
            error.show()
        else:
            _unreadable(error.format_message())
        sys.exit(error.exit_code)
    except typer.Abort:  # the terminal is gone, or ^D
        sys.exit(1)
    sys.exit(code or 0)


def _unreadable(message: str) -> None:
    """Says to a machine that its command line can't be read."""
    from recovery.cli.output import Output
    from states.answers import Exit, Refusal

    output = Output("", as_json="--json" in sys.argv, as_events="--json" not in sys.argv)
    remedy = "See prisma-recovery --help, and --help of each command."
    output.failed(Refusal("usage.command_line", f"{message} Nothing was done.", remedy, Exit.USAGE))
    output.end(int(Exit.USAGE))


class Grouped(TyperCommand):
    """A command whose help has its options in groups. Plain text: what makes it rich takes as long as all the rest."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - see `_Unreadable`
        """Writes a section for each group, those of no group first, and `--help` last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                plain = "Arguments" if parameter.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or plain, []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)
