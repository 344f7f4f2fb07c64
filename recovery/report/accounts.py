"""The JSON documents of `report` and `graph`."""

from datetime import datetime
from typing import Any

import msgspec

from recovery.report.diagram import NO_TRAIL, Trail
from recovery.report.document import SCHEMA_VERSION
from recovery.report.postmortem import PostmortemNote, postmortem
from recovery.report.story import Entry, Finding, Step, Story, ToldCommand
from states.rehearsals import Rehearsal
from states.table import EDGES, PATH, State

Record = dict[str, Any]


class ReportDocument(msgspec.Struct, frozen=True):
    """A run, told from its journal.

    Attributes:
        source: where the target's URL came from.
        began: when its first event was recorded.
        ended: when its last event was recorded.
        processes: how many processes worked on it, one after another.
        checks: the checks of the last preflight, by name.
        findings: each different state of the evidence on a migration, oldest first.
        failures: each failed migration and its cause, oldest first.
        commands: the Prisma commands, each with its outcome and the rows of the ledger that it changed.
        steps: the steps of the pipeline.
        ledger: the ledger's rows that were not plainly applied, or that changed: each as first seen and as last seen.
        compared: the last comparison of production with the replay of the history.
        restore_point: where the restore point is, and how to go back to it; empty without one.
        refusal: code, fact and remedy of the last refusal, if the run is still blocked by it; else empty.
        baseline: how far production had the history; empty if the ledger lost nothing.
        rehearsals: what each migration of the last deploy would lock and rewrite, as found before it.
        postmortem: for each migration how its failure likely came about, with what certainty, and what prevents it.
    """

    run: str
    target: str
    source: str
    state: State
    began: datetime
    ended: datetime
    processes: int
    timeline: tuple[Entry, ...]
    checks: dict[str, dict[str, Any]]
    findings: tuple[Finding, ...]
    failures: tuple[Record, ...]
    commands: tuple[ToldCommand, ...]
    steps: tuple[Step, ...]
    ledger: tuple[tuple[Record | None, Record | None], ...]
    compared: Record
    restore_point: Record
    refusal: Record
    postmortem: tuple[PostmortemNote, ...]
    baseline: Record = msgspec.field(default_factory=dict)
    rehearsals: tuple[Rehearsal, ...] = ()
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, story: Story) -> "ReportDocument":
        """The story as a document."""
        return cls(
            story.run,
            story.target,
            story.source,
            story.state,
            story.began,
            story.ended,
            story.processes,
            tuple(story.timeline),
            story.checks,
            tuple(story.findings),
            tuple(story.failures),
            tuple(story.commands),
            tuple(story.steps),
            tuple(story.rows()),
            story.compared,
            story.restore_point,
            story.refusal,
            postmortem(story),
            story.baseline,
            story.rehearsals,
        )


class EdgeDocument(msgspec.Struct, frozen=True):
    """A move between two states that the machine allows.

    Attributes:
        when: the condition of the move.
        moves: the run's moves along this edge, by their numbers in the run; 1 is its first move.
    """

    source: State
    target: State
    when: str
    moves: tuple[int, ...]


class GraphDocument(msgspec.Struct, frozen=True):
    """The machine, from its table of edges.

    Attributes:
        path: the states from PREFLIGHT to PIPELINE_READY, in order.
        edges: every possible move.
        visited: the states that the run has been in; empty without a run.
        current: the state in which the run is; null without a run.
    """

    path: tuple[State, ...]
    edges: tuple[EdgeDocument, ...]
    visited: tuple[State, ...]
    current: State | None
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, trail: Trail = NO_TRAIL) -> "GraphDocument":
        """The machine, with the moves of a run."""
        edges = (EdgeDocument(*edge, trail.numbers(edge.source, edge.target)) for edge in EDGES)
        visited = (state for state in State if state in trail.visited)
        return cls(PATH, tuple(edges), tuple(visited), trail.current)
