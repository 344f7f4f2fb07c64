"""`inspect`: what is in the database, read only."""

import os
import sys

from recovery.api import Recovery
from recovery.report import github
from recovery.report.document import encode
from recovery.report.terminal import Terminal, console_of_output
from states.answers import Exit
from states.facts import Outcome


def look(recovery: Recovery, *, as_json: bool, exit_code: bool) -> Exit:
    """Prints what was found. A check that is refused is shown, and stops nothing: nothing is changed here.

    Returns:
        READY; BLOCKED with `exit_code` if a migration failed.
    """
    seen = recovery.look()
    identity, failed, checks, compared = seen.identity, seen.failed, seen.checks, seen.compared
    if runner := github.of(os.environ, annotations=sys.stderr if as_json else sys.stdout):
        runner.inspected(seen.history, checks, failed, compared)
    if as_json:
        print(encode(seen.document()))  # noqa: T201 - the command's output
    else:
        console = console_of_output()
        terminal = Terminal(console)
        where = (
            f"{identity.database} on {identity.host}, schema {identity.schema}, PostgreSQL {identity.server_version}"
        )
        console.print(f"[bold]{where}[/]", highlight=False)
        terminal.checks(checks)
        terminal.history(seen.history)
        for evidence in failed:
            console.print()
            terminal.evidence(evidence)
            if evidence.migration in seen.history.missing_locally:
                console.print("  [yellow]It is not in the migrations folder: is this the right checkout?[/]")
        if not failed:
            console.print("\n  [green]No migration failed.[/]")
        for classified in compared.found:
            terminal.present(classified.evidence)
        if compared.missing:
            terminal.uncompared(compared.missing)
        if any(check.outcome in (Outcome.REFUSED, Outcome.UNKNOWN) for check in checks):
            console.print("  [dim]Before `run` changes anything, every check has to hold.[/]")
    return Exit.BLOCKED if failed and exit_code else Exit.READY
