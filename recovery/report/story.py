"""A run as its journal tells it, for a report: what was seen, decided and done, in order.

Journals of older releases hold less; what they don't hold is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind, RunRecord, record_of
from recovery.report import words
from recovery.report.diagram import Trail
from states.facts import Outcome
from states.table import State

_AGAINST = (Outcome.REFUSED, Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline.

    Attributes:
        at: when it was recorded.
        seconds: how long it took, or was stood in the state that it left; None where that is not known.
        number: of the move, as in the diagram; None for what is no move.
        title: what happened.
        detail: why, or how it ended.
        tone: good, bad, or empty.
    """

    at: datetime
    title: str
    detail: str = ""
    seconds: float | None = None
    number: int | None = None
    tone: str = ""


@dataclass(slots=True)
class ToldCommand:
    """A Prisma command.

    Attributes:
        outcome: shown (the ledger shows it), not_shown, not_run, or in_doubt (its end is not recorded).
        note: why it was not run.
        ledger: before it.
        changes: what it changed there.
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


@dataclass(slots=True)
class Step:
    """A command of the pipeline; without an exit code it is in doubt, or to be repeated."""

    name: str
    text: str
    at: datetime
    exit_code: int | None = None
    seconds: float | None = None
    by_hand: bool = False


@dataclass(slots=True)
class Finding:
    """What the evidence said of a migration.

    Attributes:
        evidence: as `inspect --json` has it; empty in journals of older releases.
        approval: a person's decision on this very evidence.
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
    """A run.

    Attributes:
        began: when its first event was recorded; `ended`: its last.
        processes: how many processes worked on it.
        checks: of the last preflight, by name.
        findings: each different state of the evidence on a migration, oldest first.
        failures: what failed, and why, oldest first.
        history: the ledger beside the folder when it was first read.
        ledger: then.
        compared: the last comparison of the schema with its history.
        refusal: code, fact and remedy of the last refusal, where it still stands.
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
        """Where it stands."""
        return self.record.state

    @property
    def trail(self) -> Trail:
        """Its way through the machine."""
        return Trail(tuple(self.moves), self.state)

    @property
    def latest(self) -> dict[str, Finding]:
        """The last finding on each migration."""
        return {finding.migration: finding for finding in self.findings}

    def rows(self) -> list[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
        """Rows of the ledger that were not plainly applied, or were written to: as first seen, and as last seen."""
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
            # A process that died left its state when it died, not when the next one found out.
            died = event.payload.get("code") == "engine.interrupted"
            _moved(story, event.payload, when, ((last if died else when) - since).total_seconds())
            since = when
        else:
            _TELL.get(event.kind, _nothing)(story, event.payload, when)
        last = when
    return story


def _nothing(story: Story, payload: dict[str, Any], when: datetime) -> None:
    """What a later release recorded, and this one does not know."""


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
    story.timeline.append(Entry(when, f"{name}: {finding.verdict}", " ".join(finding.reasons)))


def _failed(story: Story, payload: dict[str, Any], when: datetime) -> None:
    story.failures.append(payload)
    kind = payload["kind"].replace("_", " ")
    code = f" ({payload['sqlstate']})" if payload["sqlstate"] else ""
    story.timeline.append(Entry(when, f"{payload['migration']} failed", f"{kind}{code}", tone="bad"))


def _approved(story: Story, payload: dict[str, Any], when: datetime) -> None:
    found = story.latest.get(payload["migration"])
    if found is not None and found.digest == payload["evidence"]:
        found.approval = payload
    word = payload["decision"].replace("_", " ")
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
        # The ledger showed it already: done by hand, or by a process that died before it could record it.
        story.timeline.append(Entry(when, payload["effect"], "the ledger shows it already; nothing was run"))
        return
    command.note = payload.get("unchanged", "")
    command.outcome = "not_run" if command.note else "shown" if payload["shown"] else "not_shown"
    command.seconds, command.exit_code = payload.get("seconds"), payload.get("exit_code")
    command.output, command.changes = payload.get("output", ""), payload.get("ledger", {})
    note = f": {command.note}" if command.note else ""
    tone = "good" if command.outcome == "shown" else "bad"
    _ended(story, Entry(command.at, command.text, f"{OUTCOMES[command.outcome]}{note}", command.seconds, tone=tone))


def _found(story: Story, payload: dict[str, Any], _when: datetime) -> None:
    command = story.commands[-1]
    command.outcome = "shown" if payload["shown"] else "not_shown"
    tone = "good" if payload["shown"] else ""
    seen = OUTCOMES["shown"] if payload["shown"] else "the ledger did not show it when the next one looked"
    _ended(story, Entry(command.at, command.text, f"its process died; {seen}", tone=tone))


def _ended(story: Story, entry: Entry) -> None:
    """What began is told once, with its end."""
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
    Kind.FAILED: _failed,
    Kind.APPROVED: _approved,
    Kind.RESTORE_POINT: _restore_point,
    Kind.INTENDED: _intended,
    Kind.OBSERVED: _observed,
    Kind.FOUND: _found,
    Kind.STEP_INTENDED: _step_intended,
    Kind.STEP_OBSERVED: _step_observed,
    Kind.STEP_DECIDED: _step_decided,
}
