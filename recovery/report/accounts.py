"""What the commands say to machines that tell of a run, draw the machine, or guard a Prisma command."""

from datetime import datetime
from typing import Any

import msgspec

from recovery.report.diagram import NO_TRAIL, Trail
from recovery.report.document import SCHEMA_VERSION
from recovery.report.postmortem import PostmortemNote, postmortem
from recovery.report.story import Entry, Finding, Step, Story, ToldCommand
from states.table import EDGES, PATH, State

Record = dict[str, Any]


class ReportDocument(msgspec.Struct, frozen=True):
    """A run, as its journal tells it.

    Attributes:
        began: when its first event was recorded; `ended`: its last.
        processes: how many worked on it.
        checks: of the last preflight, by name.
        findings: each different state of the evidence on a migration, oldest first.
        failures: what failed, and why, oldest first.
        commands: Prisma's, each with its outcome and what it changed in the ledger.
        steps: of the pipeline.
        ledger: rows that were not plainly applied, or were written to: as first seen, and as last seen.
        compared: the last comparison of the schema with its history.
        restore_point: where it is, and how to go back to it; empty without one.
        refusal: code, fact and remedy of the last refusal, where it still stands; else empty.
        postmortem: how it likely came about, with what certainty, and what prevents it; a note a migration.
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
        )


class EdgeDocument(msgspec.Struct, frozen=True):
    """A move that a recovery can make.

    Attributes:
        when: what has to hold.
        moves: which of a run's moves went there, 1 for the first.
    """

    source: State
    target: State
    when: str
    moves: tuple[int, ...]


class GraphDocument(msgspec.Struct, frozen=True):
    """The machine, from its table of edges.

    Attributes:
        path: the states of the path, in order.
        visited: those that the run has been in; empty without a run.
        current: where the run stands; null without a run.
    """

    path: tuple[State, ...]
    edges: tuple[EdgeDocument, ...]
    visited: tuple[State, ...]
    current: State | None
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, trail: Trail = NO_TRAIL) -> "GraphDocument":
        """The machine, with a run's way through it."""
        edges = (EdgeDocument(*edge, trail.numbers(edge.source, edge.target)) for edge in EDGES)
        visited = (state for state in State if state in trail.visited)
        return cls(PATH, tuple(edges), tuple(visited), trail.current)
