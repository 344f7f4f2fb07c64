"""Shows a command's events in GitHub Actions: as annotations in the log, and in the job's summary.

Names and texts come from a repository and a database, so they are escaped: GitHub must not read them as workflow
commands, Markdown or HTML.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TextIO

from recovery import events
from recovery.evidence.pending import Compared
from recovery.report import words
from states.answers import Refusal
from states.evidence import Decision, Evidence
from states.facts import Check, History, Outcome
from states.rehearsals import Rehearsal
from states.table import State
from states.verification import MigrationDifference

#: The variable that names the file for a step's summary; set in GitHub's runners only.
VARIABLE = "GITHUB_STEP_SUMMARY"
#: GitHub drops a summary of more than 1 MiB. The other limits keep one table, list or text from filling it.
_MOST_BYTES = 1_000_000
_MOST_ROWS = 50
_MOST_CHARACTERS = 2_000
_MOST_CODE = 300

Level = Literal["error", "warning", "notice"]

_DOES = {
    Decision.MARK_APPLIED: "The evidence decides: it can be marked applied.",
    Decision.MARK_ROLLED_BACK: "The evidence decides: it can be marked rolled back, and deploy runs it again.",
    Decision.OPERATOR: "A person has to decide.",
    Decision.WAIT: "Wait until it has ended, and run again.",
    Decision.DEPLOY: "A deploy can run it.",
}


def annotation(level: Level, title: str, message: str) -> str:
    """The workflow command that makes GitHub show an annotation."""
    value = _data(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={value}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def plain(text: str, most: int = _MOST_CHARACTERS) -> str:
    """`text` as Markdown that shows it literally: in one line, every special character escaped, cut after `most`."""
    shown = text if len(text) <= most else f"{text[:most]}…"
    line = " ".join(shown.split())
    return re.sub(r"[^\w\s]|_", lambda match: f"&#{ord(match[0])};", line)


def code(text: str) -> str:
    """`text` as Markdown that shows it literally, as code."""
    return f"<code>{plain(text, _MOST_CODE)}</code>"


def summary(happened: Sequence[events.Event], complete: Callable[[str], str] = str) -> str:
    """A Markdown section on the events of a run, complete or not, with the outcome first.

    Args:
        happened: the events, in order.
        complete: adds the options that a suggested command needs.
    """
    parts = [
        _headline(happened),
        *_history(happened),
        *_baseline(happened),
        *_evidence(happened),
        *_checks(happened),
        *_rehearsed(happened),
        *_planned(happened),
        *_done(happened),
        *_differing(happened),
    ]
    refusals = [event.refusal for event in happened if isinstance(event, events.Refused)]
    parts += [_to_do(refusal, complete) for refusal in refusals[-1:]]
    return "\n\n".join(part for part in parts if part) + "\n\n"


def error_summary(error: Refusal) -> str:
    """A Markdown section on an error that ended a command before a recovery had begun."""
    return f"## prisma-recovery: stopped\n\n{_to_do(error)}\n\n"


def _headline(happened: Sequence[events.Event]) -> str:
    refused = [event for event in happened if isinstance(event, events.Refused)]
    ended = [event for event in happened if isinstance(event, events.RunEnded)]
    steps = [event for event in happened if isinstance(event, events.StepEnded)]
    if refused:
        return f"## prisma-recovery: blocked in {refused[-1].state}"
    if ended and ended[-1].state is State.PIPELINE_READY:
        return "## prisma-recovery: ready\n\nThe schema is proven and the gate is open."
    if ended:
        return f"## prisma-recovery: stopped in {ended[-1].state}, exit code {ended[-1].exit_code}"
    if steps:
        return f"## prisma-recovery: pipeline step {plain(steps[-1].step)}"
    if any(isinstance(event, events.EffectProposed) for event in happened):
        return "## prisma-recovery: a plan, nothing was changed"
    failed = any(isinstance(event, events.EvidenceFound) for event in happened)
    return f"## prisma-recovery: {'a' if failed else 'no'} migration failed"


def _history(happened: Iterable[events.Event]) -> Iterator[str]:
    started = [event for event in happened if isinstance(event, events.RunStarted)]
    histories = [event.history for event in happened if isinstance(event, events.Inspected)]
    yield "".join(f"Run {event.run} on {code(event.target)}" for event in started[-1:])
    for history in histories[-1:]:
        names = f": {', '.join(map(code, history.pending[:_MOST_ROWS]))}" if history.pending else ""
        counts = f"applied {len(history.applied)}, failed {len(history.failed)}, pending {len(history.pending)}{names}"
        yield f"It found: {counts}" if started else counts


def _evidence(happened: Iterable[events.Event]) -> Iterator[str]:
    found = {
        e.evidence.migration: e.evidence for e in happened if isinstance(e, events.EvidenceFound | events.PresentFound)
    }
    shown = [event.effect for event in happened if isinstance(event, events.EffectEnded) and event.shown]
    done = {name for effect in shown for name in effect.partition(":")[2].split(",")}
    for evidence in found.values():
        does = "" if evidence.migration in done else f" {_DOES[evidence.decision]}"
        yield f"**{code(evidence.migration)} {sentence(evidence)}.**{does}"
        yield _list(plain(reason) for reason in evidence.reasons)
        rows = [(str(s.index), s.state.replace("_", " "), code(s.sql), plain(s.proof)) for s in evidence.statements]
        yield _table(("", "statement is", "", "proof"), rows)
        again = " again" if evidence.attempted else ""
        yield _list(f"It would fail{again}: {plain(obstacle.fact)}" for obstacle in evidence.obstacles)
        yield _differences(MigrationDifference(evidence.migration, evidence.differences))
        yield from _plans(evidence)


def _plans(evidence: Evidence) -> Iterator[str]:
    for plan in evidence.repair.plans:
        yield f"A plan to **{plan.way}** it, proven by rehearsal: {plain(plan.proof)}. Plan {code(plan.digest)}"
        yield _table(("statement", "what it does"), [(code(s.sql), plain(words.planned(s))) for s in plan.statements])
        yield _list(f"It would fail: {plain(obstacle.fact)}" for obstacle in plan.obstacles)
    yield _list(plain(reason) for reason in evidence.repair.unplanned)


def _rehearsed(happened: Iterable[events.Event]) -> Iterator[str]:
    found = [event.rehearsals for event in happened if isinstance(event, events.PendingRehearsed)]
    for rehearsals in found[-1:]:
        rows = [(code(each.migration), plain(line)) for each in rehearsals for line in words.rehearsed(each)]
        yield _table(("pending", "in production"), rows)


def _baseline(happened: Iterable[events.Event]) -> Iterator[str]:
    found = [event.baseline for event in happened if isinstance(event, events.BaselineFound)]
    for baseline in found[:1]:
        yield f"**{plain(' '.join(baseline.reasons))}**"
        yield _list(code(name) for name in baseline.lacking)
        rows = [(code(o.migration), str(o.statement or ""), code(o.sql), plain(o.why)) for o in baseline.open]
        yield _table(("migration", "", "statement", "what no schema shows"), rows)
        yield _differences(MigrationDifference(baseline.nearest, baseline.differences))


def sentence(evidence: Evidence) -> str:
    """The verdict in words, to follow the migration's name."""
    attempted = "" if evidence.attempted else "was never attempted, and "
    return f"{attempted}{words.verdict_now(evidence.verdict)}"


def _checks(happened: Iterable[events.Event]) -> Iterator[str]:
    made: dict[str, Check] = {}
    for event in happened:
        match event:
            case events.ChecksMade(checks=checks):
                made = {check.name: check for check in checks}
            case events.CheckMade(check=check):
                made[check.name] = check
    rows = [(c.outcome.value, code(c.name), plain(c.seen)) for c in made.values() if c.outcome is not Outcome.HELD]
    yield _table(("check", "", "seen"), rows)


def _planned(happened: Sequence[events.Event]) -> Iterator[str]:
    """The effects that were proposed and not started: those of a plan, or those that the run did not reach."""
    begun = {event.effect for event in happened if isinstance(event, events.EffectStarted)}
    left = [e for e in happened if isinstance(e, events.EffectProposed) and e.effect not in begun]
    if any(effect.startswith("mark_applied:") for effect in begun):  # the marks of a baseline were proposed all at once
        left = [event for event in left if not event.effect.startswith("baseline:")]
    lines = [f"{_command(event.command)}: {plain(event.consequence)}" for event in left]
    yield f"**What would be run**\n\n{_list(lines)}" if lines else ""


def _command(line: str) -> str:
    return f"<code>{plain(line)}</code>"


def _done(happened: Iterable[events.Event]) -> Iterator[str]:
    lines, command = [], ""
    for event in happened:
        match event:
            case events.EffectStarted():
                command = event.command
            case events.EffectFound():
                who = words.witness(event.effect)
                shows = f"{who} shows it" if event.shown else f"{who} does not show it, so it was decided anew"
                lines.append(f"{code(event.command)}, during which the last process died: {shows}")
            case events.EffectEnded(unchanged=""):
                who = words.witness(event.effect)
                shown = f"{who} shows it" if event.shown else f"**{who} does not show it**"
                lines.append(f"{code(command)}: {shown} ({event.seconds:.1f} s)")
            case events.EffectEnded():
                lines.append(f"{code(command or event.effect)}: not run, {plain(event.unchanged)}")
            case events.RestorePointMade():
                lines.append(f"restore point ({event.kind}): {code(event.place)}")
            case events.StepEnded():
                ended = "done before, not repeated" if event.already_done else f"exit code {event.exit_code}"
                lines.append(f"pipeline step {code(event.step)}: {ended}")
            case _:
                continue
    yield f"**What was done**\n\n{_list(lines)}" if lines else ""


def _differing(happened: Iterable[events.Event]) -> Iterator[str]:
    compared = [event for event in happened if isinstance(event, events.SchemaCompared)]
    for each in compared[-1:]:
        yield _list(f"{code(name)}: every object and column is the same as in the replay" for name in each.proven)
        yield from (_differences(difference) for difference in each.differing)


def _differences(each: MigrationDifference) -> str:
    rows = [
        (
            code(d.object),
            plain(d.property),
            *(code(words.differing(side, d.property)) for side in (d.expected, d.actual)),
        )
        for d in each.differences
    ]
    return _table(("what differs", "", "expected", "in production"), rows)


def _to_do(refusal: Refusal, complete: Callable[[str], str] = str) -> str:
    said = f"{plain(refusal.fact)}\n\n**What to do:** {plain(refusal.remedy)} ({code(refusal.code)})"
    commands = [
        f"{plain(each.when)}: {_command(complete(each.line))}" if each.when else _command(complete(each.line))
        for each in refusal.commands
    ]
    return f"{said}\n\n{_list(commands)}" if commands else said


def _list(lines: Iterable[str]) -> str:
    every = [*lines]
    more = [f"and {len(every) - _MOST_ROWS} more"] if len(every) > _MOST_ROWS else []
    return "\n".join(f"- {line}" for line in (*every[:_MOST_ROWS], *more))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    more = [[f"and {len(rows) - _MOST_ROWS} more", *[""] * (len(head) - 1)]] if len(rows) > _MOST_ROWS else []
    lines = [head, ["---"] * len(head), *rows[:_MOST_ROWS], *more]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class GitHub:
    """A sink that writes annotations at once, and the summary when the run or a step of the pipeline has ended."""

    def __init__(self, path: Path, annotations: TextIO, complete: Callable[[str], str] = str) -> None:
        """Writes nothing yet.

        Args:
            path: the summary's file, to which it appends.
            annotations: where annotations are printed.
            complete: adds the options that a suggested command needs.
        """
        self._path = path
        self._annotations = annotations
        self._complete = complete
        self._happened: list[events.Event] = []

    def __call__(self, event: events.Event) -> None:
        """Takes one event."""
        if isinstance(event, events.OutputLine | events.Progressed | events.Failed):
            return
        running = any(isinstance(each, events.RunStarted) for each in self._happened)
        self._happened.append(event)
        match event:
            case events.EvidenceFound() | events.PresentFound():
                decided = event.evidence.decision in (Decision.MARK_APPLIED, Decision.MARK_ROLLED_BACK, Decision.DEPLOY)
                title = f"{event.evidence.migration} {sentence(event.evidence)}"
                self.annotate("notice" if decided else "warning", title, " ".join(event.evidence.reasons))
            case events.Refused():
                self.annotate("error", event.refusal.code, f"{event.refusal.fact}\nWhat to do: {event.refusal.remedy}")
                if not running:
                    self.end()
            case events.RunEnded() | events.StepEnded():
                if isinstance(event, events.RunEnded) and event.state is State.PIPELINE_READY:
                    self.annotate("notice", "prisma-recovery", "The schema is proven and the gate is open.")
                self.end()

    def annotate(self, level: Level, title: str, message: str) -> None:
        """Prints an annotation."""
        print(annotation(level, title, message), file=self._annotations, flush=True)

    def end(self) -> None:
        """Writes the summary of the events since the last summary."""
        happened, self._happened = self._happened, []
        self.write(summary(happened, self._complete))

    def inspected(
        self,
        history: History,
        checks: tuple[Check, ...],
        failed: Iterable[Evidence],
        compared: Compared,
        rehearsals: tuple[Rehearsal, ...] = (),
    ) -> None:
        """Shows the findings of `inspect`, as the events that a run would have emitted."""
        self(events.ChecksMade(checks))
        self(events.Inspected(history))
        for evidence in failed:
            self(events.EvidenceFound(evidence))
        if compared.baseline is not None:
            self(events.BaselineFound(compared.baseline.evidence))
        for classified in compared.found:
            self(events.PresentFound(classified.evidence))
        if rehearsals:
            self(events.PendingRehearsed(rehearsals))
        self.end()

    def write(self, text: str) -> None:
        """Appends to the summary; a failure becomes an annotation, since it must not stop a recovery."""
        content = text.encode("utf-8", "replace")
        if len(content) > _MOST_BYTES:
            content = content[:_MOST_BYTES].rpartition(b"\n\n")[0] + b"\n\nThe rest is in the log.\n\n"
        try:
            with self._path.open("ab") as file:
                file.write(content)
        except OSError as error:
            self.annotate("warning", "prisma-recovery", f"The job's summary could not be written: {error.strerror}.")


def of(
    environ: Mapping[str, str], *, annotations: TextIO | None = None, complete: Callable[[str], str] = str
) -> GitHub | None:
    """The sink on a runner of GitHub Actions; None elsewhere.

    Args:
        environ: environment variables.
        annotations: where annotations are printed; standard output by default. GitHub reads standard error as well.
        complete: adds the options that a suggested command needs.
    """
    path = environ.get(VARIABLE)
    return GitHub(Path(path), annotations or sys.stdout, complete) if path else None


def tell(error: Refusal, annotations: TextIO) -> None:
    """Shows the error that ended a command, on a runner of GitHub Actions; elsewhere does nothing."""
    github = of(os.environ, annotations=annotations)
    if github is not None:
        github.annotate("error", error.code, f"{error.fact}\nWhat to do: {error.remedy}")
        github.write(error_summary(error))
