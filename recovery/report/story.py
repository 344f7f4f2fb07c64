"""The story of a run: the events of its journal put in order for a report.

Journals of older releases record less; their story leaves the missing facts out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind, RunRecord, record_of
from recovery.report import words
from recovery.report.diagram import Trail
from states.facts import Outcome
from states.rehearsals import Rehearsal
from states.table import State

_AGAINST = (Outcome.REFUSED, Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the timeline.

    Attributes:
        at: when it was recorded.
        title: what happened.
        detail: why it happened, or how it ended.
        seconds: how long a command ran, or how long the run was in the state that a move left; None if unknown.
        number: the move's number in the diagram; None if the entry is no move.
        tone: `good`, `bad`, or empty.
    """

    at: datetime
    title: str
    detail: str = ""
    seconds: float | None = None
    number: int | None = None
    tone: str = ""


@dataclass(slots=True)
class Stretch:
    """Entries of the timeline that belong together.

    Attributes:
        entries: the entries, in order.
        attempts: of how many processes, one after another.
        folded: whether they may be folded: earlier attempts, in which nothing was changed.
    """

    entries: list[Entry]
    attempts: int = 1
    folded: bool = False


@dataclass(slots=True)
class ToldCommand:
    """A Prisma command of the run.

    Attributes:
        effect: the effect's id.
        text: the command line.
        at: when it was begun.
        outcome: `shown` (the ledger shows it), `not_shown`, `not_run`, or `in_doubt` (its end is not recorded).
        seconds: how long it ran; None if that is not recorded.
        exit_code: its exit code; None if it did not run, or that is not recorded.
        output: the end of its output, redacted.
        note: why it was not run; else empty.
        ledger: the ledger before the command.
        changes: the ledger's rows that the command changed.
    """

    effect: str
    text: str
    at: datetime
    outcome: str = "in_doubt"
    seconds: float | None = None
    exit_code: int | None = None
    output: str = ""
    note: str = ""
    ledger: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> str:
        """How it ended, in words."""
        return OUTCOMES[self.outcome].replace("the ledger", words.witness(self.effect))


@dataclass(slots=True)
class Step:
    """A step of the pipeline.

    Attributes:
        name: the step's name.
        text: the command line.
        at: when it was begun.
        exit_code: its exit code; None if it is in doubt.
        seconds: how long it ran; None if that is not recorded.
        by_hand: whether a person declared it done.
    """

    name: str
    text: str
    at: datetime
    exit_code: int | None = None
    seconds: float | None = None
    by_hand: bool = False


@dataclass(slots=True)
class Finding:
    """One state of the evidence on a migration, and the verdict on it.

    Attributes:
        migration: the migration's name.
        at: when it was first recorded.
        verdict: the verdict.
        decision: the decision that follows from it.
        digest: digest of the evidence.
        reasons: the reasons for the verdict, for people.
        attempted: whether a deploy ever attempted the migration.
        evidence: the evidence as in `inspect --json`; empty in journals of older releases.
        approval: the approval of exactly this evidence; None if there is none.
    """

    migration: str
    at: datetime
    verdict: str
    decision: str
    digest: str
    reasons: tuple[str, ...]
    attempted: bool
    evidence: dict[str, Any]
    approval: dict[str, Any] | None = None


@dataclass(slots=True)
class Story:
    """A run, told from its journal.

    Attributes:
        run: identifier of the run.
        began: when its first event was recorded.
        ended: when its last event was recorded.
        target: the target's URL without the password.
        source: where that URL came from.
        version: the release that began the run.
        processes: how many processes worked on it, one after another.
        record: the run's record.
        moves: source and target of each move.
        timeline: what happened, in order.
        checks: the checks of the last preflight, by name.
        findings: each different state of the evidence on a migration, oldest first.
        baseline: how far production has the history, as first found; empty if the ledger lost nothing.
        rehearsals: what each migration of the last deploy would lock and rewrite, as found before it.
        failures: each failed migration and its cause, oldest first.
        commands: the Prisma commands.
        steps: the steps of the pipeline.
        restore_point: where the restore point is; empty without one.
        history: the ledger compared with the migrations folder, as first read.
        ledger: the ledger's rows, as first read.
        compared: the last comparison of production with the replay of the history.
        refusal: code, fact and remedy of the last refusal, if the run is still blocked by it; else empty.
    """

    run: str
    began: datetime
    ended: datetime
    target: str = ""
    source: str = ""
    version: str = ""
    processes: int = 1
    record: RunRecord = field(default_factory=RunRecord)
    moves: list[tuple[State, State]] = field(default_factory=list)
    timeline: list[Entry] = field(default_factory=list)
    checks: dict[str, dict[str, str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    baseline: dict[str, Any] = field(default_factory=dict)
    rehearsals: tuple[Rehearsal, ...] = ()
    failures: list[dict[str, Any]] = field(default_factory=list)
    commands: list[ToldCommand] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    restore_point: dict[str, str] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)
    ledger: dict[str, Any] = field(default_factory=dict)
    compared: dict[str, Any] = field(default_factory=dict)
    refusal: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """The state in which the run is."""
        return self.record.state

    @property
    def trail(self) -> Trail:
        """The run's moves through the machine."""
        return Trail(tuple(self.moves), self.state)

    @property
    def latest(self) -> dict[str, Finding]:
        """The last finding on each migration."""
        return {finding.migration: finding for finding in self.findings}

    def superseded(self) -> list[Finding]:
        """The findings that a later one on the same migration replaced."""
        latest = self.latest
        return [finding for finding in self.findings if latest[finding.migration] is not finding]

    def against(self) -> dict[str, dict[str, str]]:
        """The checks of the last preflight that do not hold."""
        return {name: check for name, check in self.checks.items() if check["outcome"] != Outcome.HELD}

    def passing(self) -> dict[str, dict[str, str]]:
        """The checks of the last preflight that hold."""
        return {name: check for name, check in self.checks.items() if check["outcome"] == Outcome.HELD}

    def stretches(self) -> list[Stretch]:
        """The timeline by attempts; those in a row that changed nothing are one stretch, but for the last attempt."""
        again = f"{State.BLOCKED} → {State.PREFLIGHT}"
        parts: list[list[Entry]] = [[]]
        for entry in self.timeline:
            if entry.title == again:
                parts.append([])
            parts[-1].append(entry)
        acted = {each.at for each in self.commands} | {each.at for each in self.steps}
        found: list[Stretch] = []
        for number, entries in enumerate(parts, 1):
            folded = number < len(parts) and not any(entry.at in acted for entry in entries)
            if folded and found and found[-1].folded:
                found[-1].entries += entries
                found[-1].attempts += 1
            else:
                found.append(Stretch(entries, folded=folded))
        return found

    def rows(self) -> list[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
        """The ledger's rows that were not plainly applied, or that changed: each as first seen and as last seen.

        None in the place of a row: it did not exist then.
        """
        first = {row["id"]: row for row in self.ledger.get("rows", ())}
        known: dict[str, list[dict[str, Any] | None]] = {key: [row, row] for key, row in first.items()}
        for command in self.commands:
            for row in command.changes.get("changed", ()):
                known.setdefault(row["id"], [None if row["new"] else row, row])[1] = row
            for gone in command.changes.get("gone", ()):
                known.setdefault(gone, [None, None])[1] = None
        return [(before, after) for before, after in known.values() if before or after]


def told(events: Sequence[JournalEvent]) -> Story:
    """The story of a run, from all of its events."""
    at = [datetime.fromisoformat(event.time) for event in events]
    story = Story(events[0].run, at[0], at[-1], record=record_of(events))
    since, last = at[0], at[0]
    for event, when in zip(events, at, strict=True):
        if event.kind == Kind.MOVED:
            # A process that died left its state then, not when the next process noticed: count to its last event.
            died = event.payload.get("code") == "engine.interrupted"
            _moved(story, event.payload, when, ((last if died else when) - since).total_seconds())
            since = when
        else:
            _TELL.get(event.kind, _nothing)(story, event.payload, when)
        last = when
    return story


def _nothing(story: Story, payload: dict[str, Any], when: datetime) -> None:
    """Ignores an event that a later release recorded and this one does not know."""


def _started(story: Story, payload: dict[str, Any], when: datetime) -> None:
    story.target, story.source = payload["target"], payload["source"]
    story.version = payload.get("version", "")
    story.timeline.append(Entry(when, "The recovery begins", f"URL from {story.source}"))


def _moved(story: Story, payload: dict[str, Any], when: datetime, seconds: float) -> None:
    source, target = State(payload["from"]), State(payload["to"])
    story.moves.append((source, target))
    story.processes += source is State.BLOCKED and target is State.PREFLIGHT
    story.refusal = {}
    if target is State.BLOCKED:
        story.refusal = {"code": payload.get("code", ""), "fact": payload["because"], "remedy": payload["remedy"]}
    if source is State.INSPECT and not story.history:
        story.history, story.ledger = payload.get("history", {}), payload.get("ledger", {})
    story.compared = payload.get("compared", story.compared)
    detail = payload["because"] + (f" ({payload['code']})" if payload.get("code") else "")
    tone = "bad" if target is State.BLOCKED else "good" if target is State.PIPELINE_READY else ""
    story.timeline.append(Entry(when, f"{source} → {target}", detail, seconds, len(story.moves), tone))


def _checked(story: Story, payload: dict[str, Any], when: datetime) -> None:
    late = [name for name, check in story.checks.items() if check["outcome"] == "awaited"]
    story.checks = {name: {"source": "", "remedy": "", **check} for name, check in payload.items()}
    if story.moves and story.moves[-1][1] is not State.PREFLIGHT:
        for name in late:
            check = story.checks[name]
            title = f"The check {name}: {words.OUTCOMES[check['outcome']]}"
            tone = "bad" if check["outcome"] in _AGAINST else ""
            story.timeline.append(Entry(when, title, check["seen"], tone=tone))
        return
    outcomes = [check["outcome"] for check in payload.values()]
    bad = sum(outcome in _AGAINST for outcome in outcomes)
    waived = outcomes.count("waived")
    awaited = outcomes.count("awaited")
    counted = ((bad, "not held"), (waived, "waived"), (awaited, "awaited"))
    said = [f"{len(outcomes) - awaited} made", *(f"{count} {word}" for count, word in counted if count)]
    story.timeline.append(Entry(when, "Checks of preflight", ", ".join(said), tone="bad" if bad else ""))


def _classified(story: Story, payload: dict[str, Any], when: datetime) -> None:
    name = payload["migration"]
    known = story.latest.get(name)
    if known is not None and (known.digest, known.verdict) == (payload["digest"], payload["verdict"]):
        known.evidence = payload.get("evidence", known.evidence)
        return
    finding = Finding(
        name,
        when,
        payload["verdict"],
        payload["decision"],
        payload["digest"],
        tuple(payload["reasons"]),
        payload.get("attempted", True),
        payload.get("evidence", {}),
    )
    story.findings.append(finding)
    story.timeline.append(
        Entry(when, f"{name} {words.verdict_then(finding.verdict).partition(':')[0]}", " ".join(finding.reasons))
    )


def _baselined(story: Story, payload: dict[str, Any], when: datetime) -> None:
    known = story.baseline.get("evidence_digest"), story.baseline.get("verdict")
    if known != (payload["evidence_digest"], payload["verdict"]):
        story.baseline = payload
        story.timeline.append(Entry(when, "The history was compared with production", " ".join(payload["reasons"])))


def _rehearsed(story: Story, payload: dict[str, Any], when: datetime) -> None:
    found = msgspec.convert(payload["rehearsals"], tuple[Rehearsal, ...])
    if found != story.rehearsals:
        story.rehearsals = found
        story.timeline.append(Entry(when, "What is pending was rehearsed", ", ".join(each.migration for each in found)))


def _failed(story: Story, payload: dict[str, Any], when: datetime) -> None:
    story.failures.append(payload)
    kind = payload["kind"].replace("_", " ")
    code = f" ({payload['sqlstate']})" if payload["sqlstate"] else ""
    story.timeline.append(Entry(when, f"{payload['migration']} failed", f"{kind}{code}", tone="bad"))


def _approved(story: Story, payload: dict[str, Any], when: datetime) -> None:
    if "statements" in payload:
        said = ", ".join(f"{number} {'done' if done else 'not done'}" for number, done in payload["statements"].items())
        title = f"A person says of the statements of {payload['migration']}: {said}"
        story.timeline.append(Entry(when, title, payload["reason"]))
        return
    found = None if payload.get("baseline") else story.latest.get(payload["migration"])
    plans = [] if found is None else [plan["digest"] for plan in found.evidence.get("repair", {}).get("plans", ())]
    if found is not None and payload["evidence"] in (found.digest, *plans):
        found.approval = payload
    word = payload["decision"].replace("_", " ")
    if payload.get("baseline"):
        word = "production has the history up to"
        story.baseline = {**story.baseline, "approval": payload}
    story.timeline.append(Entry(when, f"A person decides: {word} {payload['migration']}", payload["reason"]))


def _restore_point(story: Story, payload: dict[str, Any], when: datetime) -> None:
    story.restore_point = payload
    story.timeline.append(Entry(when, f"Restore point ({payload['kind']})", payload["place"]))


def _intended(story: Story, payload: dict[str, Any], when: datetime) -> None:
    text = payload.get("command") or payload["effect"]
    story.commands.append(ToldCommand(payload["effect"], text, when, ledger=payload.get("ledger", {})))
    story.timeline.append(Entry(when, text, OUTCOMES["in_doubt"], tone="bad"))


def _observed(story: Story, payload: dict[str, Any], when: datetime) -> None:
    command = story.commands[-1] if story.commands else None
    if command is None or command.effect != payload["effect"] or command.outcome != "in_doubt":
        # Nothing was run: a person did it by hand, or a process did, and died before it recorded the outcome.
        story.timeline.append(Entry(when, payload["effect"], "the ledger shows it already; nothing was run"))
        return
    command.note = payload.get("unchanged", "")
    command.outcome = "not_run" if command.note else "shown" if payload["shown"] else "not_shown"
    command.seconds, command.exit_code = payload.get("seconds"), payload.get("exit_code")
    command.output, command.changes = payload.get("output", ""), payload.get("ledger", {})
    note = f": {command.note}" if command.note else ""
    tone = "good" if command.outcome == "shown" else "bad"
    _ended(story, Entry(command.at, command.text, f"{command.ended}{note}", command.seconds, tone=tone))


def _found(story: Story, payload: dict[str, Any], _when: datetime) -> None:
    command = story.commands[-1]
    command.outcome = "shown" if payload["shown"] else "not_shown"
    tone = "good" if payload["shown"] else ""
    who = words.witness(command.effect)
    seen = f"{who} shows it" if payload["shown"] else f"{who} did not show it to the next process"
    _ended(story, Entry(command.at, command.text, f"its process died; {seen}", tone=tone))


def _ended(story: Story, entry: Entry) -> None:
    """Replaces the entry of a command or step that began by the one that tells its end."""
    began = Entry(entry.at, entry.title, OUTCOMES["in_doubt"], tone="bad")
    story.timeline[story.timeline.index(began)] = entry


#: How a command ended, for people.
OUTCOMES = {
    "shown": "the ledger shows it",
    "not_shown": "the ledger does not show it",
    "not_run": "not run",
    "in_doubt": "how it ended is not recorded",
}


def _step_intended(story: Story, payload: dict[str, Any], when: datetime) -> None:
    story.steps.append(Step(payload["name"], payload.get("command", ""), when))
    story.timeline.append(Entry(when, f"Pipeline: {payload['name']}", OUTCOMES["in_doubt"], tone="bad"))


def _step_observed(story: Story, payload: dict[str, Any], _when: datetime) -> None:
    step = story.steps[-1]
    step.exit_code, step.seconds = payload["exit_code"], payload["seconds"]
    tone = "good" if step.exit_code == 0 else "bad"
    _ended(story, Entry(step.at, f"Pipeline: {step.name}", f"exit code {step.exit_code}", step.seconds, tone=tone))


def _orphan_intended(story: Story, payload: dict[str, Any], when: datetime) -> None:
    who = ", ".join(each for each in (payload["user"], payload["application"], payload["client"]) if each)
    held = f"it held Prisma's lock, idle since {payload['since']}; a person agreed to: {payload['statement']}"
    story.timeline.append(Entry(when, f"Session {payload['pid']} ({who}) is to be ended", held))


def _orphan_ended(story: Story, payload: dict[str, Any], when: datetime) -> None:
    how, tone = ("was ended", "good") if payload["ended"] else ("was not ended", "bad")
    story.timeline.append(Entry(when, f"Session {payload['pid']} {how}", payload["why"], tone=tone))


def _step_decided(story: Story, payload: dict[str, Any], when: datetime) -> None:
    name = payload["step"].rpartition(":")[0]
    done = payload["exit_code"] is not None
    story.timeline.append(Entry(when, f"Pipeline: {name}", "a person says: done" if done else "a person says: repeat"))
    if done:
        story.steps.append(Step(name, "", when, payload["exit_code"], by_hand=True))


_TELL = {
    Kind.STARTED: _started,
    Kind.CHECKED: _checked,
    Kind.CLASSIFIED: _classified,
    Kind.BASELINED: _baselined,
    Kind.REHEARSED: _rehearsed,
    Kind.FAILED: _failed,
    Kind.APPROVED: _approved,
    Kind.RESTORE_POINT: _restore_point,
    Kind.ORPHAN_INTENDED: _orphan_intended,
    Kind.ORPHAN_ENDED: _orphan_ended,
    Kind.INTENDED: _intended,
    Kind.OBSERVED: _observed,
    Kind.FOUND: _found,
    Kind.STEP_INTENDED: _step_intended,
    Kind.STEP_OBSERVED: _step_observed,
    Kind.STEP_DECIDED: _step_decided,
}
