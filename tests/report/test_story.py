"""A run as its journal tells it, in all the ways in which a journal can be."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind, record_of
from recovery.report import words
from recovery.report.markdown import markdown
from recovery.report.page import html
from recovery.report.postmortem import postmortem
from recovery.report.story import told
from recovery.report.summary import summary
from recovery.run import excerpts
from states.facts import Trace
from states.table import State
from tests.report.made import FAILED, FIRST, LATER, production, recovered, traced

#: What older releases did not record.
NEWER = ("evidence", "history", "ledger", "compared", "command", "version", "source", "remedy")
OURS = Trace("table public.a", "before", 1, "postgres", None, FIRST, FAILED, "somebody", "strong", "it was there")


def whole() -> list[JournalEvent]:
    return recovered(production("CREATE TABLE a (); CREATE TABLE b ()", "a", "b"), restore_point=True)


def older(events: list[JournalEvent]) -> list[JournalEvent]:
    """As a release before this one wrote it."""

    def less(event: JournalEvent) -> dict[str, Any]:
        # An approval names its evidence by digest, a start its URL's source: these were always there.
        kept = {
            Kind.APPROVED: ("evidence",),
            Kind.STARTED: ("source",),
            Kind.MOVED: ("remedy",),
            Kind.INTENDED: ("evidence",),
        }
        payload = {k: v for k, v in event.payload.items() if k not in NEWER or k in kept.get(event.kind, ())}
        if event.kind == Kind.CHECKED:
            return {name: {k: v for k, v in check.items() if k not in NEWER} for name, check in payload.items()}
        return payload

    return [msgspec.structs.replace(event, payload=less(event)) for event in events]


def test_what_the_engine_records_for_the_report() -> None:
    """Evidence whole, checks with source and remedy, the ledger before and after, and how the schema compares."""
    payloads: dict[str, list[dict[str, Any]]] = {}
    for event in whole():
        payloads.setdefault(event.kind, []).append(event.payload)
    checks, settled = payloads[Kind.CHECKED]
    assert {"outcome", "seen", "source", "remedy"} <= set(checks["target.identity"])
    outcomes = [{name: check["outcome"] for name, check in each.items()} for each in (checks, settled)]
    assert outcomes == [
        {"target.identity": "held", "prisma.target": "awaited"},
        {"target.identity": "held", "prisma.target": "held"},
    ]
    (classified,) = payloads[Kind.CLASSIFIED]
    assert [s["state"] for s in classified["evidence"]["statements"]] == ["in_place", "in_place"]
    marked, deployed = payloads[Kind.OBSERVED]
    assert payloads[Kind.INTENDED][0]["ledger"]["total"] == 2
    assert [row["migration"] for row in payloads[Kind.INTENDED][0]["ledger"]["rows"]] == [FAILED]
    assert [(r["migration"], r["new"]) for r in marked["ledger"]["changed"]] == [(FAILED, False), (FAILED, True)]
    assert [(r["migration"], r["new"]) for r in deployed["ledger"]["changed"]] == [(LATER, True)]
    assert payloads[Kind.MOVED][-1]["compared"]["differing"] == []
    assert payloads[Kind.MOVED][1]["history"]["pending"] == [LATER]


def test_the_ledger_before_and_after() -> None:
    """Each row that was odd or was written to, as it was and as it became."""
    rows = [
        (
            (before or {}).get("finished_at"),
            (after or {"migration": ""})["migration"],
            bool((after or {})["finished_at"]),
        )
        for before, after in told(whole()).rows()
    ]
    assert rows == [(None, FAILED, False), (None, FAILED, True), (None, LATER, True)]


def test_a_journal_of_an_older_release_is_told_too() -> None:
    """What it does not hold is left out, and what a run knows of itself is the same."""
    events = whole()
    assert record_of(older(events)) == msgspec.structs.replace(
        record_of(events), evidence=record_of(older(events)).evidence
    )
    story = told(older(events))
    assert summary(story).word == "ready"
    assert FAILED in summary(story).sentence
    assert "ready" in html(story)
    assert "# Recovery" in markdown(story)


@pytest.mark.parametrize("count", range(1, len(whole()) + 1))
def test_a_run_that_died_anywhere_can_be_told(count: int) -> None:
    """At each event a process may have ended; a report of it says where it stands."""
    story = told(whole()[:count])
    said = summary(story)
    assert said.to_do
    assert said.sentence.endswith(".")
    if story.state is not State.PIPELINE_READY:
        assert said.word == "unfinished"
    if story.record.in_doubt:
        assert "how its last command ended is not recorded" in said.sentence
        assert story.commands[-1].outcome == "in_doubt"
    assert FAILED not in html(story)  # escaped
    assert markdown(story)


def test_time_is_told_by_state() -> None:
    """Events come a second apart here, so each state lasted as many seconds as it had events."""
    moves = [entry for entry in told(whole()).timeline if entry.number]
    assert [entry.number for entry in moves] == [1, 2, 3, 4, 5, 6]
    assert [entry.seconds for entry in moves] == [2, 2, 2, 5, 3, 1]


def test_a_process_that_died_left_its_state_then() -> None:
    """The time until the next process is none that the state took."""
    events = whole()[:5]
    late = msgspec.structs.replace(
        events[-1],
        seq=6,
        kind=Kind.MOVED,
        time="2026-02-17T09:00:00+00:00",
        payload={
            "from": "CLASSIFY",
            "to": "BLOCKED",
            "because": "it died",
            "code": "engine.interrupted",
            "remedy": "none",
        },
    )
    assert told([*events, late]).timeline[-1].seconds == 0


def test_a_person_that_says_no_is_a_block() -> None:
    """Without consent nothing was changed, and the report says how to go on."""
    said = summary(told(recovered(production("CREATE TABLE a ()", "a"), agrees=False)))
    assert said.word == "blocked"
    assert "nothing was changed" in said.sentence
    assert "--yes" in said.to_do


def test_the_postmortem_says_whose_work_it_was() -> None:
    """Somebody's hand: when, in how many sittings, whose role, how sure, and what prevents it."""
    (note,) = postmortem(told(traced(whole(), OURS, replace(OURS, object="table public.b"))))
    text = " ".join(note.sentences)
    assert note.certainty == "strong"
    assert "made by hand, not by this migration" in text
    assert "One transaction wrote all" in text
    assert f"after the ledger's row of {FIRST} and before that of {FAILED}" in text
    assert "Their owner is postgres, the role that deploys" in text
    assert any("db push" in each for each in note.prevents)


def test_the_postmortem_is_as_sure_as_its_weakest_trace() -> None:
    """Where traces differ it says so, and claims no more than each of them."""
    weak = replace(OURS, object="table public.b", by="attempt", certainty="weak", owner="somebody", transaction=2)
    (note,) = postmortem(told(traced(whole(), OURS, weak)))
    text = " ".join(note.sentences)
    assert note.certainty == "weak"
    assert "differ in who likely made them" in text
    assert "somebody else made those" in text


def test_nothing_there_leaves_no_trace() -> None:
    """What is not in production says nothing of who made it."""
    (note,) = postmortem(told(recovered(production("CREATE TABLE a ()"))))
    assert (note.certainty, note.traces) == ("none", ())
    assert any("Nothing of the migration was in production" in sentence for sentence in note.sentences)


def and_then(events: list[JournalEvent], kind: str, **payload: Any) -> list[JournalEvent]:  # noqa: ANN401 - JSON
    """The events, and one more a second later."""
    last = events[-1]
    return [*events, msgspec.structs.replace(last, seq=last.seq + 1, kind=kind, payload=payload)]


def test_a_persons_decision_is_shown_with_its_reason() -> None:
    """Beside the very evidence that it was made on, and not beside another."""
    events = recovered(production("CREATE TABLE a (); CREATE TABLE b ()", "a"))
    digest = [event.payload["digest"] for event in events if event.kind == Kind.CLASSIFIED][-1]
    decided = {"migration": FAILED, "decision": "mark_applied", "reason": "looked at the rows"}
    shown = and_then(events, Kind.APPROVED, evidence=digest, **decided)
    assert "**A person decided:** mark applied. looked at the rows" in markdown(told(shown))
    assert "looked at the rows" in html(told(shown)).partition('id="evidence"')[2]
    other = and_then(events, Kind.APPROVED, evidence="sha256:other", **decided)
    assert "**A person decided:**" not in markdown(told(other))


def test_a_step_in_doubt_is_said_first() -> None:
    """The gate is open, and the summary names the step that did not succeed, and what to do about it."""
    events = and_then(whole(), Kind.PIPELINE)
    events = and_then(events, Kind.STEP_INTENDED, step="load:1", name="load", command="npm run load")
    doubtful = summary(told(events))
    assert "the step load of the pipeline did not succeed" in doubtful.sentence
    assert "--repeat load" in doubtful.to_do
    done = and_then(events, Kind.STEP_OBSERVED, step="load:1", name="load", exit_code=0, seconds=1.5)
    assert summary(told(done)).to_do == "Nothing: the gate is open."
    assert "| load | `npm run load` | exit code 0 | 1.50 s |" in markdown(told(done))
    by_hand = and_then(events, Kind.STEP_DECIDED, step="load:1", exit_code=0)
    assert summary(told(by_hand)).to_do == "Nothing: the gate is open."
    assert "done, as a person said" in markdown(told(by_hand))


def test_a_command_that_was_not_run_says_why() -> None:
    """Nothing happened, and the reason is there."""
    events = whole()
    at = next(n for n, event in enumerate(events) if event.kind == Kind.OBSERVED)
    effect = events[at].payload["effect"]
    not_run = {"effect": effect, "shown": False, "unchanged": "the evidence has changed since it was judged"}
    story = told([*events[:at], msgspec.structs.replace(events[at], payload=not_run)])
    assert story.commands[0].outcome == "not_run"
    assert "not run: the evidence has changed since it was judged" in markdown(story)


def test_a_kind_of_event_that_is_not_known_is_left_out() -> None:
    """A later release may have recorded more."""
    assert summary(told(and_then(whole(), "something.new", what="ever"))).word == "ready"


def test_no_control_character_reaches_a_terminal() -> None:
    """A migration that Prisma printed in colours, or somebody named so, can't draw over a report."""
    events = traced(whole(), logs="\x1b[2J\x1b[31mred\x07\x00\x9b")
    for text in (html(told(events)), markdown(told(events))):
        assert "[31mred" in text
        assert not any(ord(c) < 32 and c not in "\n\t" for c in text)
        assert not any(0x7F <= ord(c) < 0xA0 for c in text)


def test_a_password_that_is_one_of_our_words_takes_none_away() -> None:
    """Texts are redacted; a state, which the report looks up, is not."""
    found = excerpts.cut({"state": "open", "proof": "it is open"}, lambda text: text.replace("open", "***"))
    assert found == {"state": "open", "proof": "it is ***"}


@pytest.mark.parametrize(
    ("value", "prop", "said"),
    [
        (None, "exists", "absent"),
        ("yes", "exists", "there"),
        ("exists", "column a", "there"),
        ("yes", "valid", "yes"),
        ("CREATE STATISTICS s ON a, b FROM t", "exists", "CREATE STATISTICS s ON a, b FROM t"),
    ],
)
def test_a_side_of_a_difference(value: str | None, prop: str, said: str) -> None:
    """Only what says no more than that it is there is put so."""
    assert words.differing(value, prop) == said
