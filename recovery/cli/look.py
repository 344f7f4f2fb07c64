"""`inspect`: what is in the database, read only."""

import os
import sys

from recovery.cli.session import Session
from recovery.pending import Compared
from recovery.report import github
from recovery.report.document import TargetDocument, document, encode
from recovery.report.terminal import Terminal, console_of_output
from recovery.world import Observer
from states.answers import Exit
from states.facts import Outcome
from states.inspection import InspectFacts
from states.verdict import Evidence


def look(session: Session, *, as_json: bool, exit_code: bool) -> Exit:
    """Prints what was found. A check that is refused is shown, and stops nothing: nothing is changed here.

    Returns:
        READY; BLOCKED with `exit_code` if a migration failed.
    """
    target = session.target()
    with session.workshop(target) as workshop:
        expected = session.expectation(lambda _: None)
        observer = Observer(
            target, session.folder(), workshop, expected, pin=session.pin, platforms=session.platforms()
        )
        inspected = observer.inspect()
        checks = observer.checks()
        names = InspectFacts(inspected.history).unsettled
        missing = set(inspected.history.missing_locally)
        failed: tuple[Evidence, ...] = tuple(observer.classify(name).evidence for name in names)
        compared = Compared() if failed or not inspected.history.pending else observer.compare(inspected)
    if runner := github.of(os.environ, annotations=sys.stderr if as_json else sys.stdout):
        runner.inspected(inspected.history, checks, failed, compared)
    identity = target.identity
    described = TargetDocument(identity.host, identity.database, identity.schema, identity.server_version)
    if as_json:
        print(encode(document(described, inspected.history, failed, checks, compared)))  # noqa: T201 - the command's output
    else:
        console = console_of_output()
        terminal = Terminal(console)
        where = (
            f"{identity.database} on {identity.host}, schema {identity.schema}, PostgreSQL {identity.server_version}"
        )
        console.print(f"[bold]{where}[/]", highlight=False)
        terminal.checks(checks)
        terminal.history(inspected.history)
        for evidence in failed:
            console.print()
            terminal.evidence(evidence)
            if evidence.migration in missing:
                console.print("  [yellow]It is not in the migrations folder: is this the right checkout?[/]")
        if not failed:
            console.print("\n  [green]No migration failed.[/]")
        for classified in compared.found:
            terminal.present(classified.evidence)
        if compared.missing:
            terminal.uncompared(compared.missing)
        if any(check.outcome in (Outcome.REFUSED, Outcome.UNKNOWN) for check in checks):
            console.print("  [dim]Before `run` changes anything, every check has to hold.[/]")
    target.close()
    return Exit.BLOCKED if failed and exit_code else Exit.READY
