"""What machines read: events as one document, as a stream, as logs; a journal as where its run stands."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from recovery import events
from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind
from recovery.report import log, status
from recovery.report.collect import Collector
from recovery.report.document import StatusDocument
from recovery.report.run_status import standing
from recovery.report.stream import stream
from recovery.run.proposal import proposed
from states.answers import RUN_AGAIN, NextCommand, Refusal
from states.effects import Deploy, MarkApplied
from states.exit_codes import Exit
from states.facts import Check, Outcome
from states.table import State
from tests.unit.test_terminal import EVIDENCE, NAME

BLOCKED = Refusal("classify.consent", "Nobody agreed.", "Say yes.", Exit.BLOCKED, (RUN_AGAIN,))
BUSY = replace(BLOCKED, exit=Exit.BUSY)
MARK = MarkApplied(NAME)


def test_a_run_as_one_document() -> None:
    """Each effect once, with what became of it; each state that was left, with its time and its reason."""
    seconds = iter(float(n) for n in range(100))
    collector = Collector("run", lambda: next(seconds))
    for event in (
        events.RunStarted("r1", "db", "env", resumed=True, since="BLOCKED"),
        events.ChecksMade(()),
        events.StateEntered(State.INSPECT, "all checks hold"),
        events.StateEntered(State.CLASSIFY, "one failed"),
        events.EvidenceFound(EVIDENCE),
        proposed(MARK, "prisma migrate resolve", EVIDENCE),
        events.StateEntered(State.RESOLVE, "agreed"),
        events.EffectStarted(MARK.id, "prisma …"),
        events.OutputLine("…"),
        events.EffectEnded(MARK.id, shown=True, seconds=1.23456),
        proposed(Deploy(("2_b",)), "prisma migrate deploy", None),
        events.Refused(State.DEPLOY, BLOCKED),
        events.RunEnded("r1", State.BLOCKED, 3),
    ):
        collector(event)
    document = collector.document(3)
    assert (document.run, document.resumed, document.state, document.exit_code) == ("r1", True, State.BLOCKED, 3)
    assert [(each.effect, each.started, each.shown, each.seconds) for each in document.effects] == [
        (MARK.id, True, True, 1.235),
        ("deploy:2_b", False, None, None),
    ]
    assert [move.state for move in document.path] == [State.PREFLIGHT, State.INSPECT, State.CLASSIFY, State.RESOLVE]
    assert document.path[1].because == "one failed"
    assert all(move.seconds > 0 for move in document.path)
    assert [each.migration for each in document.evidence] == [NAME]
    assert document.refusal == BLOCKED


def test_what_stopped_a_command_from_outside_is_its_refusal() -> None:
    """An error that no state answered with is in the same place as a refusal."""
    collector = Collector("run")
    assert collector.document(2, BLOCKED).refusal == BLOCKED
    collector(events.Failed(BUSY))
    assert collector.document(5).refusal == BUSY


def test_a_line_an_event_with_its_time_and_its_run() -> None:
    """Flushed at once: whoever reads sees a line as soon as it happened. Lines hold no line break of their own."""

    class Pipe(StringIO):
        flushed = 0

        def flush(self) -> None:
            """Counts."""
            self.flushed += 1

    file = Pipe()
    emit = stream(file, lambda: "2026-02-17T03:12:09.000Z")
    emit(events.ChecksMade(()))
    emit(events.RunStarted("r1", "db", "env", resumed=False))
    emit(events.OutputLine("a\nb"))
    assert file.flushed == 3
    first, second, third = map(json.loads, file.getvalue().splitlines())
    assert list(first)[:3] == ["event", "time", "run"]
    assert (first["event"], first["run"]) == ("checks.made", "")
    assert (second["event"], second["run"], second["time"]) == ("run.started", "r1", "2026-02-17T03:12:09.000Z")
    assert (third["run"], third["line"]) == ("r1", "a\nb")


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (events.OutputLine("x"), "debug"),
        (events.Progressed(events.Task.REPLAY, 1.0), "debug"),
        (events.StateEntered(State.INSPECT, "x"), "info"),
        (events.ChecksMade((Check("a.b", Outcome.HELD, "x", "y"),)), "info"),
        (events.ChecksMade((Check("a.b", Outcome.WAIVED, "x", "y"),)), "warning"),
        (events.EffectEnded("x", shown=True, seconds=1.0), "info"),
        (events.EffectEnded("x", shown=False, seconds=1.0), "warning"),
        (events.StepEnded("x", 2, 1.0), "warning"),
        (events.Refused(State.CLASSIFY, BLOCKED), "error"),
        (events.Refused(State.CLASSIFY, BUSY), "warning"),
        (events.Failed(BLOCKED), "error"),
    ],
)
def test_a_level_says_how_much_it_matters(event: events.Event, level: str) -> None:
    """Error: somebody has to act. Warning: it passes by itself, or is to be looked at. Info: it happened."""
    assert log.level(event) == level


@pytest.mark.parametrize(("verbose", "names"), [(False, ["state.entered"]), (True, ["output.line", "state.entered"])])
def test_output_is_logged_only_where_all_is_wanted(verbose: bool, names: list[str]) -> None:  # noqa: FBT001 - a parameter
    """From info up; with --verbose from debug up. Each line is one object with level, time and name."""
    file = StringIO()
    emit = log.to(file, log.Format.JSON, verbose=verbose)
    emit(events.OutputLine("x"))
    emit(events.StateEntered(State.INSPECT, "because"))
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [f"prisma_recovery.{name}" for name in names]
    assert (lines[-1]["level"], lines[-1]["because"]) == ("info", "because")
    assert datetime.fromisoformat(lines[-1]["timestamp"]).tzinfo is not None


def test_a_log_in_words_is_a_line_an_event() -> None:
    """Records by their own words, lists by their length: evidence does not fill a page."""
    file = StringIO()
    log.to(file, log.Format.TEXT, verbose=False)(events.EvidenceFound(EVIDENCE))
    (line,) = file.getvalue().splitlines()
    assert "prisma_recovery.evidence.found" in line
    assert "evidence.verdict=undecidable" in line
    assert "\x1b" not in line
    assert len(line) < 600


def history(*kinds: tuple[str, str, dict[str, object]]) -> tuple[JournalEvent, ...]:
    """A journal: kind, state and payload of each event, a minute apart."""
    return tuple(
        JournalEvent("r1", number, f"2026-02-17T03:{number:02}:00.000Z", kind, state, payload)
        for number, (kind, state, payload) in enumerate(kinds)
    )


FOUND = {
    "migration": NAME,
    "verdict": "drifted",
    "decision": "operator",
    "digest": "sha256:1",
    "reasons": [],
    "attempted": True,
    "ran_to_its_end": False,
}
STOPPED = {
    "from": "CLASSIFY",
    "to": "BLOCKED",
    "because": "It has drifted.",
    "code": "classify.drifted",
    "remedy": "Mend it.",
    "commands": [{"line": "prisma-recovery run", "when": "then"}],
}
APPROVED = {"migration": NAME, "decision": "mark_applied", "evidence": "sha256:1", "reason": "seen"}
STORY = history(
    (Kind.STARTED, "PREFLIGHT", {"target": "db", "source": "env"}),
    (Kind.CLASSIFIED, "CLASSIFY", FOUND),
    (Kind.MOVED, "CLASSIFY", STOPPED),
    (Kind.APPROVED, "BLOCKED", APPROVED),
)
DOUBT = history(
    (Kind.STARTED, "PREFLIGHT", {"target": "db", "source": "env"}),
    (Kind.CLASSIFIED, "CLASSIFY", FOUND),
    (Kind.MOVED, "CLASSIFY", {"from": "CLASSIFY", "to": "RESOLVE", "because": "decided"}),
    (Kind.INTENDED, "RESOLVE", {"effect": MARK.id, "migration": NAME, "evidence": "sha256:1"}),
)
DONE = (
    *DOUBT,
    JournalEvent(
        "r1",
        4,
        "2026-02-17T03:04:00.000Z",
        Kind.OBSERVED,
        "RESOLVE",
        {"effect": MARK.id, "migration": NAME, "rows": [], "shown": True, "unchanged": "", "seconds": 1.5},
    ),
)


def test_where_a_run_stands() -> None:
    """State, since when, what was decided and by whom, what was done, and the commands that come next."""
    found = standing("1/db/public", "r1", STORY)
    assert (found.state, found.stopped_in, found.code) == (State.BLOCKED, State.CLASSIFY, "classify.drifted")
    assert (found.started, found.since) == ("2026-02-17T03:00:00.000Z", "2026-02-17T03:02:00.000Z")
    assert [(each.verdict, each.approved) for each in found.decided] == [("drifted", "mark_applied")]
    assert (found.done, found.changed) == ((), False)
    assert found.commands == (RUN_AGAIN,), "it is decided"
    undecided = standing("1/db/public", "r1", STORY[:-1])
    assert (undecided.next, undecided.commands) == ("Mend it.", (NextCommand("prisma-recovery run", "then"),))


@pytest.mark.parametrize(
    ("stopped", "approved"),
    [
        (STOPPED | {"from": "PREFLIGHT", "code": "preflight.git.clean"}, APPROVED),
        (STOPPED | {"from": "VERIFY", "code": "verify.differs"}, APPROVED),
        (STOPPED, APPROVED | {"evidence": "sha256:0"}),
    ],
    ids=["preflight", "verify", "other evidence"],
)
def test_an_approval_of_something_else_leaves_what_is_to_be_done(
    stopped: dict[str, object], approved: dict[str, object]
) -> None:
    """Only what it stopped for is decided by it."""
    story = history(
        (Kind.STARTED, "PREFLIGHT", {"target": "db", "source": "env"}),
        (Kind.CLASSIFIED, "CLASSIFY", FOUND),
        (Kind.MOVED, "CLASSIFY", stopped),
        (Kind.APPROVED, "BLOCKED", approved),
    )
    assert standing("1/db/public", "r1", story).next == "Mend it."


def test_an_effect_whose_end_is_not_recorded_is_in_doubt_and_one_that_ended_is_told_once() -> None:
    """A process that died in an effect leaves it in doubt; once observed it is done, with its time."""
    (doubtful,) = standing("1/db/public", "r1", DOUBT).done
    assert (doubtful.effect, doubtful.shown) == (MARK.id, None)
    (done,) = standing("1/db/public", "r1", DONE).done
    assert (done.shown, done.seconds) == (True, 1.5)
    assert standing("1/db/public", "r1", DOUBT).commands == (RUN_AGAIN,)


def test_a_mark_that_another_process_found_is_told_once_although_a_deploy_was_begun_beside_it() -> None:
    """Each effect has one line, at the place at which it was begun, with its last outcome."""
    deploy = Deploy(("m2", "m3")).id
    outcome = {"effect": MARK.id, "migration": NAME, "rows": [], "shown": True, "unchanged": ""}
    story = history(
        (Kind.STARTED, "PREFLIGHT", {"target": "db", "source": "env"}),
        (Kind.CLASSIFIED, "CLASSIFY", FOUND),
        (Kind.MOVED, "CLASSIFY", {"from": "CLASSIFY", "to": "RESOLVE", "because": "decided"}),
        (Kind.INTENDED, "RESOLVE", {"effect": MARK.id, "migration": NAME, "evidence": "sha256:1"}),
        (Kind.INTENDED, "RESOLVE", {"effect": deploy, "migration": "", "evidence": ""}),
        (Kind.FOUND, "RESOLVE", outcome),
        (Kind.OBSERVED, "RESOLVE", outcome),
        (Kind.FOUND, "DEPLOY", outcome | {"effect": deploy, "shown": False}),
    )
    assert [(each.effect, each.shown) for each in standing("1/db/public", "r1", story).done] == [
        (MARK.id, True),
        (deploy, False),
    ]
    text = " ".join(shown(("r1", story)).split())
    assert "· not all deployed m2, m3" in text
    assert text.count("marked applied") == 1


def shown(*runs: tuple[str, tuple[JournalEvent, ...]]) -> str:
    """What `status` prints of these runs at 03:10."""
    file = StringIO()
    document = StatusDocument(tuple(standing("1/db/public", run, events) for run, events in runs))
    status.show(Console(file=file, width=80), document, datetime(2026, 2, 17, 3, 10, tzinfo=UTC))
    return file.getvalue()


def test_status_at_a_glance() -> None:
    """The state first, for how long, what was decided and done, and last what to type; no line is too wide."""
    text = shown(("r1", STORY[:-1]))
    parts = [
        "r1  BLOCKED in CLASSIFY (classify.drifted)",
        "8 minutes ago",
        f"{NAME} has drifted",
        "nothing was changed",
        "It has drifted.",
        "What to do: Mend it.",
        "# then",
        "prisma-recovery run",
    ]
    squeezed = " ".join(text.split())
    places = [squeezed.index(" ".join(part.split())) for part in parts]
    assert places == sorted(places)
    assert max(map(len, text.splitlines())) <= 80
    approved = " ".join(shown(("r1", STORY)).split())
    assert f"{NAME} has drifted, approved as applied" in approved
    assert "What to do: Run again" in approved
    assert "? in doubt: marked applied" in shown(("r1", DOUBT))
    assert f"✓ marked applied {NAME}" in shown(("r1", DONE))


def test_runs_that_are_over_take_a_line_each() -> None:
    """What is unfinished, and the newest, is told in full, the newest last; the others in a line each."""
    ended = (
        *STORY[:3],
        JournalEvent("r0", 3, "2026-02-17T03:05:00Z", Kind.MOVED, "BLOCKED", {**STOPPED, "to": "ABORTED"}),
    )
    text = shown(("r0", ended), ("r1", STORY))
    assert text.splitlines()[0].split() == ["r0", "ABORTED", "5", "minutes", "ago"]
    assert text.index("r0") < text.index("r1  BLOCKED")
    assert text.count("What to do:") == 1
