"""The work of the commands `fleet …`, and what they show."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recovery.cli.interruption import interruption
from recovery.cli.output import Output
from recovery.errors import StoppedError, UsageError
from recovery.files import replace_file
from recovery.fleet.api import Fleet
from recovery.fleet.document import TOLD_FIRST, FleetDatabase, FleetInspectDocument, FleetRunDocument
from recovery.fleet.looking import Look
from recovery.fleet.words import OUTCOMES, STANDINGS
from recovery.report.words import duration
from states.exit_codes import Exit
from states.fleet import ENDED, Limits, Outcome, Progress, Status, look_exit, run_exit

#: How many databases of an outcome are named as examples, and how many are explained.
_EXAMPLES, _EXPLAINED = 3, 20
#: Seconds between two lines of progress where the output is no terminal.
_LINE_SECONDS = 10.0
_COLOURS = {
    Outcome.HEALTHY: "green",
    Outcome.PENDING: "yellow",
    Outcome.BASELINE: "yellow",
    Outcome.UNKNOWN: "yellow",
}


class _Live:
    """One line that moves in a terminal; elsewhere a line now and then."""

    def __init__(self, output: Output) -> None:
        self._console: Console | None = output.console if output.in_words else None
        self._moving = None if self._console is None else self._console.status("")
        self._shown = time.monotonic()
        if self._moving is not None and self._console is not None and self._console.is_terminal:
            self._moving.start()

    def tell(self, text: str) -> None:
        """Shows how far it is, by numbers."""
        if self._console is None or self._moving is None:
            return
        if self._console.is_terminal:
            self._moving.update(text)
        elif time.monotonic() - self._shown >= _LINE_SECONDS:
            self._shown = time.monotonic()
            self._console.print(text)

    def line(self, text: str) -> None:
        """Shows what stays."""
        if self._console is not None:
            self._console.print(text, markup=False)

    def close(self) -> None:
        """Takes the moving line away."""
        if self._moving is not None:
            self._moving.stop()


def look(fleet: Fleet, output: Output, *, html: str | None, exit_code: bool) -> Exit:
    """Looks at every database, and shows what was found."""
    total, seen, live = len(fleet.listed.members), 0, _Live(output)

    def count(_: Look) -> None:
        nonlocal seen
        seen += 1
        live.tell(f"looked at {seen} of {total}")

    try:
        found = fleet.inspect(count)
    finally:
        live.close()
    output.document(found)
    if output.in_words:
        _show(found, output.console)
    if html is not None:
        _write(html, found)
    return look_exit([each.outcome for each in found.databases], exit_code=exit_code)


def _write(place: str, found: FleetInspectDocument) -> None:
    from recovery.fleet.page import html

    try:
        replace_file(Path(place).resolve(), html(found, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"))
    except OSError as error:
        raise UsageError(
            "report.unwritable",
            f"{place} can't be written ({error.strerror}). No report was written there.",
            "Name another file.",
        ) from error


def _show(found: FleetInspectDocument, console: Console) -> None:
    many, replays = _many(len(found.databases)), f"{found.histories} replay{'' if found.histories == 1 else 's'}"
    console.print(f"[bold]{many}[/] looked at in {duration(found.seconds)}, with {replays} for all\n")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("outcome", "databases", "such as", "which means"):
        table.add_column(title, justify="right" if title == "databases" else "left", overflow="fold")
    for outcome in TOLD_FIRST:
        named = [each.name for each in found.databases if each.outcome is outcome]
        if named:
            colour = _COLOURS.get(outcome, "red")
            table.add_row(f"[bold {colour}]{outcome}[/]", str(len(named)), _some(named), OUTCOMES[outcome])
        for verdict, count in found.verdicts.items() if outcome is Outcome.FAILED else ():
            such = [each.name for each in found.databases if each.failed and each.failed[0].verdict == verdict]
            table.add_row(f"  {verdict}", f"[dim]{count}[/]", f"[dim]{_some(such)}[/]", "[dim]by the evidence[/]")
    console.print(table)
    for names in found.same:
        console.print(f"\n[red]{escape(' and '.join(names))} lead to one and the same database and schema.[/]")
    needing = [each for each in found.databases if each.outcome not in (Outcome.HEALTHY, Outcome.PENDING)]
    for each in sorted(needing, key=lambda one: TOLD_FIRST.index(one.outcome))[:_EXPLAINED]:
        _explain(each, console)
    if len(needing) > _EXPLAINED:
        console.print(f"\n  [dim]and {len(needing) - _EXPLAINED} more; --json and --html have all of them[/]")


def _some(names: Sequence[str]) -> str:
    """A few of them. What people named is escaped wherever markup is printed."""
    return escape(", ".join(names[:_EXAMPLES])) + (" …" if len(names) > _EXAMPLES else "")


def _many(count: int) -> str:
    return "1 database" if count == 1 else f"{count} databases"


def _explain(each: FleetDatabase, console: Console) -> None:
    console.print(f"\n[bold]{escape(each.name)}[/] {each.outcome} [dim]({escape(each.place)})[/]")
    for one in each.failed:
        console.print(f"  {one.migration}: {one.verdict}, {one.decision.replace('_', ' ')}", markup=False)
    for difference in each.differences:
        console.print(f"  {difference}", markup=False)
    if each.more:
        console.print(f"  and {each.more} more differences")
    if each.said:
        console.print(f"  {each.said}", markup=False)


def limits_of(
    fleet: Fleet, at_once: str | None, stop_after: str | None, stop_after_in_wave: str | None
) -> Limits | None:
    """The limits of the settings with those of the options; None if no option says anything."""
    if at_once is None and stop_after is None and stop_after_in_wave is None:
        return None
    known = fleet.limits
    return replace(
        known,
        at_once=_number("at_once", at_once) or known.at_once,
        stop_after=_number("stop_after", stop_after) or known.stop_after,
        stop_after_in_wave=_number("stop_after_in_wave", stop_after_in_wave) or known.stop_after_in_wave,
    )


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        option = f"--{name.replace('_', '-')}"
        raise UsageError("usage.number", f"{option} is not a number from 1 on. Nothing was done.", "Give one.")
    return int(text)


def show_plan(fleet: Fleet, output: Output) -> Exit:
    """Shows in which waves a run would work on what."""
    live = _Live(output)
    total = len(fleet.listed.members)
    try:
        found = fleet.plan(lambda _: live.tell(f"looking at {_many(total)}"))
    finally:
        live.close()
    output.document(found)
    if output.in_words:
        console = output.console
        console.print("[bold]Plan[/] [dim](nothing was changed)[/]")
        for wave in found.waves:
            its = [each for each in found.targets if each.wave == wave]
            work = [each for each in its if each.status is Status.WAITING]
            console.print(f"\n[bold]{escape(wave)}[/]: {_many(len(its))}, to work on {len(work)}", highlight=False)
            for each in work[:_EXPLAINED]:
                console.print(f"  {each.name}: {each.found}", markup=False)
            if len(work) > _EXPLAINED:
                console.print(f"  and {len(work) - _EXPLAINED} more")
    return Exit.READY


def work_off(
    fleet: Fleet, output: Output, *, yes: bool, limits: Limits | None, skip_unreachable: bool, anew: bool
) -> Exit:
    """Works until the run of the fleet has ended, and shows how far it is meanwhile.

    ^C asks the recoveries at work to stop; it is waited for them, so that nothing is left half begun.
    """
    live = _Live(output)
    told: set[tuple[str, int]] | None = None

    def tell(now: FleetRunDocument) -> None:
        nonlocal told
        ended = {(each.name, each.attempts): each for each in now.targets if each.status in ENDED}
        for one in ended.keys() - (ended if told is None else told):  # what had ended before is told at the end
            each = ended[one]
            live.line(f"  {each.name}: {STANDINGS[each.status]}{f' ({each.code})' if each.code else ''}")
        told = set(ended)
        live.tell(told_progress(now.progress))

    try:
        ended = fleet.run(
            yes=yes,
            limits=limits,
            skip_unreachable=skip_unreachable,
            anew=anew,
            on_look=lambda _: live.tell("looking at the databases"),
            tell=tell,
        )
    except KeyboardInterrupt as error:
        raise _stopped(fleet) from error
    finally:
        live.close()
    show_standing(ended, output)
    return run_exit([each.status for each in ended.targets], stopped=bool(ended.stop))


def _stopped(fleet: Fleet) -> StoppedError:
    """What is said after ^C. A second one ends the process at once: its commands go on alone, as those of `run` do."""
    if fleet.busy:
        interruption.leave()
    return StoppedError(
        "fleet.interrupted",
        "This worker of the fleet was stopped. None of its commands is running, what it did is in the journals, and "
        "what it had not ended is handed out again.",
        "prisma-recovery fleet run goes on, here or on another machine.",
    )


def help_with(fleet: Fleet, output: Output, *, stay: bool) -> Exit:
    """Works as one more worker."""
    if output.in_words:
        output.console.print("[dim]A worker of the fleet; ^C ends it with nothing half begun.[/]")
    try:
        fleet.work(stay=stay)
    except KeyboardInterrupt as error:
        raise _stopped(fleet) from error
    output.document(None)
    return Exit.READY


def told_progress(now: Progress) -> str:
    """How far a run is, on one line."""
    parts = [f"{now.done} of {now.total} ready", f"{now.at_work} at work", f"{now.waiting} waiting"]
    if now.person:
        parts.append(f"{now.person} need a person")
    if now.failed:
        parts.append(f"{now.failed} failed")
    if now.rate:
        parts.append(f"{now.rate * 60:.0f} a minute")
    if now.left_seconds:
        parts.append(f"about {duration(round(now.left_seconds))} left")
    return ", ".join(parts)


def show_standing(now: FleetRunDocument, output: Output) -> None:
    """Shows where a run stands, and each database that is not ready."""
    output.document(now)
    if not output.in_words:
        return
    console = output.console
    word = "has ended" if now.ended and not now.stop else "stopped" if now.stop else "is at work"
    console.print(f"\n[bold]Run {now.run} of the fleet {word}[/]: {told_progress(now.progress)}", highlight=False)
    if now.stop:
        console.print(f"  Nothing more is handed out: {now.stop}.", markup=False)
    if now.workers:
        console.print(f"  [dim]workers: {escape(', '.join(now.workers))}[/]")
    bad = [each for each in now.targets if each.status in (Status.PERSON, Status.FAILED)]
    for each in bad[:_EXPLAINED]:
        name = escape(each.name)
        console.print(f"\n[bold]{name}[/] {STANDINGS[each.status]} [dim]{each.recovery}[/]", highlight=False)
        console.print(f"  {each.said} ({each.code})", markup=False)
    if len(bad) > _EXPLAINED:
        console.print(f"\n  [dim]and {len(bad) - _EXPLAINED} more; --json has all of them[/]")
    _next(now, bad, output)


def _next(now: FleetRunDocument, bad: Sequence[object], output: Output) -> None:
    """The commands to run next."""
    lines = []
    if bad:
        lines.append(("prisma-recovery status", "what each recovery says, and the command that decides it"))
        lines.append(("prisma-recovery fleet retry", "then let them be tried again"))
    if bad or now.stop or not now.ended:
        lines.append(("prisma-recovery fleet run", "go on"))
    for line, when in lines:
        output.console.print(f"\n  [dim]# {when}[/]\n  [bold]{line}[/]", highlight=False)
