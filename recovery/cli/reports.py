"""The commands `report` and `graph`, which show a run from its journal alone."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from recovery.cli.declared import Argument, Command, Option, command
from recovery.cli.harness import documented
from recovery.cli.options import JOURNAL, Chosen, takes

if TYPE_CHECKING:
    from recovery.app.session import Options
    from recovery.report.story import Story

#: Value in the place of a file: standard output.
_OUTPUT = "-"
_MARKDOWN = "--markdown"


def register(app: click.Group) -> None:
    """Adds the commands to `app`."""
    command(app, cls=_ReportCommand, short_help="Write a report of a run, as a page or as Markdown.")(report)
    command(app)(graph)


class _ReportCommand(Command):
    """The command `report`, whose option `--markdown` may be given without a file, for standard output."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        told = list(args)
        for at in range(len(told) - 1, -1, -1):
            following = told[at + 1 : at + 2]
            if told[at] == _MARKDOWN and (not following or (following[0] != _OUTPUT and following[0].startswith("-"))):
                told.insert(at + 1, _OUTPUT)
        return super().parse_args(ctx, told)


@takes(*JOURNAL, "json")
def report(
    chosen: Chosen,
    run: Annotated[str | None, Argument("[RUN]", help="The run; by default the newest.")] = None,
    *,
    html: Annotated[
        str | None, Option(metavar="FILE", help="Write the report as one HTML page; `-` for standard output.")
    ] = None,
    markdown: Annotated[
        str | None,
        Option(metavar="[FILE]", help="Write the report as Markdown; without a file, or with `-`, to standard output."),
    ] = None,
) -> None:
    """Write a report of a run: what happened, where it stands, what to do, and how the failure likely came about."""
    with documented("report", as_json=chosen.json) as output:
        from recovery.errors import UsageError

        if output is not None and _OUTPUT in (html, markdown):
            raise UsageError(
                "usage.output",
                "--json prints its document to standard output, so the report cannot go there too. Nothing was done.",
                "Name a file for the report.",
            )
        story = _story(chosen.options(), run)
        if output is not None:
            from recovery.report.accounts import ReportDocument

            output.document(ReportDocument.of(story))
        if markdown is not None or (html is None and output is None):
            from recovery.report.markdown import markdown as as_markdown

            _write(markdown or _OUTPUT, as_markdown(story))
        if html is not None:
            from recovery.report.page import html as as_html

            _write(html, as_html(story))


@takes(*JOURNAL, "json")
def graph(
    chosen: Chosen,
    *,
    form: Annotated[
        str,
        Option("--format", metavar="FORMAT", help="mermaid, dot or svg.", values=("mermaid", "dot", "svg")),
    ] = "mermaid",
    run: Annotated[
        str | None, Option(metavar="RUN", help="Show the path of this run; `newest` for the newest.")
    ] = None,
) -> None:
    """Draw the state machine from its table of edges. Needs no project, except with `--run`."""
    with documented("graph", as_json=chosen.json) as output:
        from recovery.errors import UsageError
        from recovery.report.diagram import FORMATS, NO_TRAIL

        draw = FORMATS.get(form)
        if draw is None:
            raise UsageError(
                "usage.format", f"There is no format {form}. Nothing was drawn.", f"Use {', '.join(FORMATS)}."
            )
        trail = NO_TRAIL
        if run is not None:
            trail = _story(chosen.options(), None if run == "newest" else run).trail
        if output is not None:
            from recovery.report.accounts import GraphDocument

            output.document(GraphDocument.of(trail))
        else:
            sys.stdout.write(draw(trail))


def _story(options: "Options", run: str | None) -> "Story":
    from recovery.app.decisions import events_of
    from recovery.app.session import Session
    from recovery.report.story import told

    return told(events_of(Session(options, Path.cwd(), dict(os.environ)), run))


def _write(place: str, text: str) -> None:
    """Writes to standard output, or to a file atomically."""
    from recovery.errors import UsageError
    from recovery.files import replace_file

    if place == _OUTPUT:
        sys.stdout.write(text)
        return
    try:
        if Path(place).exists() and not Path(place).is_file():
            Path(place).write_text(text, encoding="utf-8")  # a pipe or a device; for a folder this fails
        else:
            replace_file(Path(place).resolve(), text)
    except OSError as error:
        raise UsageError(
            "report.unwritable",
            f"{place} can't be written ({error.strerror}). No report was written there.",
            "Name another file, or `-` for standard output.",
        ) from error
