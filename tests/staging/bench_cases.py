"""Judges staged cases: compares each verdict with the truth, and with the decisions of simpler rules."""

from __future__ import annotations

import copy
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from recovery.evidence.investigator import Investigator
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.prisma.migrations import Migration
from recovery.prisma.scripts import Scripts
from recovery.replay.workshop import Workshop
from tests.staging.truth import APPLIED, BOTH, ROLLED_BACK

if TYPE_CHECKING:
    from recovery.prisma.git import Repository
    from recovery.replay.history import HistoryReplay
    from recovery.sql.script import Script
    from states.evidence import Evidence
    from tests.staging.failures import Case
    from tests.staging.histories import Source
    from tests.staging.postgres import Server

#: How a verdict compares with the truth, best first (see `bench_verdicts`).
ANSWERS = ("right", "open", "undecided", "wrong", "crashed")
#: The tool, and the simpler rules that it is compared with; a rule decides, or leaves the case to a person.
RULES = ("prisma-recovery", "the runbook", "the error's text", "the ledger's row")


@dataclass
class Record:
    """A case and the answers to it.

    Attributes:
        answer: the tool's answer, one of ANSWERS.
        rules: the answer of each of RULES, one of ANSWERS.
        decidable: no statement of the case is open.
    """

    history: str
    migration: str
    kind: str
    note: str
    right: list[str]
    wrong: list[str]
    verdict: str
    decision: str
    answer: str
    decidable: bool
    seconds: float
    reasons: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    rules: dict[str, str] = field(default_factory=dict)


class Bench(Workshop):
    """A workshop that replays a history once, and copies the replay where a case departs from the history.

    The cases of a history share most of their base. Without the copies, the whole history would be replayed again for
    each case in which a later migration was stamped over the failed one.
    """

    trunk: tuple[str, ...] = ()
    _branch: HistoryReplay | None = None

    def history(self, scripts: list[Script], of: int | None = None) -> HistoryReplay:
        """The replay of these scripts, taken from the shared one as far as possible."""
        grown = self._history
        names = tuple(script.migration for script in scripts)
        if grown is None or names == self.trunk[: len(names)] or grown.applied != scripts[: len(grown.applied)]:
            return super().history(scripts, of)
        if self._branch is None or self._branch.applied != scripts[: len(self._branch.applied)]:
            if self._branch is not None:
                self._branch.close()
            self._branch = branch = copy.copy(grown)
            grown._close()  # noqa: SLF001 - only this bench copies replays
            branch._connection = None  # noqa: SLF001
            branch._database = self.server.create(grown._database)  # noqa: SLF001
            branch.applied, branch.skipped = list(grown.applied), list(grown.skipped)
        self._branch.extend(scripts[len(self._branch.applied) :])
        return self._branch

    def _stop(self) -> None:
        if self._branch is not None:
            self._branch.release()
        super()._stop()


class Checkout:
    """The folder of a history, and a repository with its scripts; each script's checksum is computed once."""

    def __init__(self, sources: Sequence[Source], repository: Repository | None = None) -> None:
        """Takes the migrations as they were deployed."""
        self._repository = repository
        self._folder = (repository.root if repository else Path()) / "prisma" / "migrations"
        self._migrations = {source.name: self._migration(source) for source in sources}
        self._checksums = {source.name: source.checksum for source in sources}
        self._scripts = self._made(None)

    def _migration(self, source: Source) -> Migration:
        path = self._folder / source.name / "migration.sql"
        return Migration(source.name, source.checksum, path, source.text.encode())

    def _made(self, repository: Repository | None) -> Scripts:
        return Scripts(self._folder, tuple(self._migrations.values()), repository)

    def scripts(self, case: Case) -> Scripts:
        """The scripts of a case, in which one file may have been edited since the attempt."""
        source = case.source
        if self._checksums[source.name] == source.checksum and not case.more:
            return self._scripts
        edited = copy.copy(self._scripts)
        edited.repository = self._repository if case.in_git else None
        edited.migrations = self._scripts.migrations | {
            each.name: self._migration(each) for each in (source, *case.more)
        }
        edited._found = {key: found for key, found in self._scripts._found.items() if key[0] != source.name}  # noqa: SLF001
        return edited


class Targets:
    """Open sessions on staged databases. Cases share a database, and connecting takes as long as judging a case.

    Statements stay prepared in these sessions. The tool's own sessions prepare nothing, since a pooler may be in
    between; both read the same.
    """

    def __init__(self, server: Server) -> None:
        """Opens nothing yet."""
        self._server = server
        self._open: dict[str, Target] = {}

    def on(self, database: str) -> Target:
        """The database as a target."""
        target = self._open.get(database)
        if target is None:
            target = self._open[database] = Target(parse(self._server.url(database)), "the bench")
        return target

    def leave(self, database: str) -> None:
        """Ends the session on a database."""
        target = self._open.pop(database, None)
        if target is not None:
            target.close()

    def close(self) -> None:
        """Ends all sessions."""
        for database in list(self._open):
            self.leave(database)


def investigate(target: Target, case: Case, checkout: Checkout, workshop: Workshop) -> Evidence:
    """The evidence on a staged failure."""
    # No person runs anything by hand in these cases but what makes the schema (RULES E21).
    judging = Investigator(target, checkout.scripts(case), workshop, assume=frozenset({"no_handwork"}))
    return judging.classify(case.source.name).evidence


def judge(case: Case, evidence: Evidence) -> str:
    """Compares the verdict with the truth: right, open, undecided or wrong."""
    answer = answer_of(case, evidence.decision)
    counted = any(attempt.steps and attempt.source == case.source for attempt in case.attempts)
    if answer == "undecided" and not counted and not _decidable(evidence):
        return "open"
    return answer


def answer_of(case: Case, decision: str) -> str:
    """Compares a decision with the truth; undecided means that there is no decision although one was due."""
    if decision in case.truth.wrong:
        return "wrong"
    return "right" if decision in BOTH or not case.truth.right else "undecided"


def _decidable(evidence: Evidence) -> bool:
    """Whether nothing is open: which statements the attempts ran, and whether a person ran any that no attempt did."""
    unseen = evidence.verdict == "undecidable" and any("did not run" in reason for reason in evidence.reasons)
    return not unseen and not any(statement.state == "open" for statement in evidence.statements)


def by_simpler_rules(case: Case) -> dict[str, str]:
    """The decisions of simpler rules: of the runbook, of the error's text, and of the ledger's row alone."""
    last = case.attempts[-1]
    table = {True: APPLIED, False: ROLLED_BACK, None: "operator"}[case.first_table]
    text = APPLIED if "already exists" in (last.logs or "") else ROLLED_BACK
    ledger = APPLIED if last.steps >= 1 else "operator"
    return {rule: answer_of(case, decision) for rule, decision in zip(RULES[1:], (table, text, ledger), strict=True)}


def record(targets: Targets, history: str, case: Case, checkout: Checkout, workshop: Workshop) -> Record:
    """Investigates a case; an exception is recorded as the answer `crashed`."""
    began = time.perf_counter()
    made = Record(
        history=history,
        migration=case.source.name,
        kind=case.kind,
        note=case.note,
        right=sorted(case.truth.right),
        wrong=sorted(case.truth.wrong),
        verdict="",
        decision="",
        answer="crashed",
        decidable=True,
        seconds=0.0,
    )
    try:
        evidence = investigate(targets.on(case.database), case, checkout, workshop)
    except Exception as error:  # noqa: BLE001 - every crash is counted
        made.reasons = [f"{type(error).__name__}: {error}", *traceback.format_exc().splitlines()[-12:]]
        made.rules = dict.fromkeys(RULES, "crashed")
        return made
    finally:
        made.seconds = time.perf_counter() - began
    made.verdict, made.decision = str(evidence.verdict), str(evidence.decision)
    made.answer = judge(case, evidence)
    made.decidable = _decidable(evidence)
    made.rules = {RULES[0]: answer_of(case, evidence.decision), **by_simpler_rules(case)}
    if made.answer in ("wrong", "undecided"):
        made.reasons = list(evidence.reasons)
        made.differences = [
            f"{d.object}: {d.property}: expected {d.expected}, actual {d.actual}" for d in evidence.differences[:4]
        ]
    return made
