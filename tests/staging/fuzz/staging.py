"""Stages cases on a server, and asks about them."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import itertools
import time
import traceback
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from recovery.evidence.investigator import Investigator
from recovery.evidence.pending import PendingInvestigator
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.prisma.migrations import Migration
from recovery.prisma.scripts import Scripts
from recovery.sql.script import Script
from states.evidence import Decision
from tests.staging.failures import DOOMED, LEDGER, SETTINGS
from tests.staging.fuzz.alike import nothing_tells
from tests.staging.fuzz.events import NAME, Begin, End, Pieces, Play, Run, play
from tests.staging.fuzz.model import Case, Statement
from tests.staging.fuzz.oracle import Answer, Reading, State, Truth, read
from tests.staging.fuzz.repairs import Repaired, Scene, carried_out, plans_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recovery.replay.workshop import Workshop
    from tests.staging.postgres import Server

__all__ = ["SETTINGS", "Judged", "Stager", "Unstageable"]

#: The role that a script may make; roles outlive databases.
ROLE = "fuzz_reader"
_FOLDER = Path("prisma/migrations")
#: States and histories that are kept at a time.
_KEPT = 8
_LOCKED = "canceling statement due to lock timeout"
_NATIVE = (
    "A migration failed to apply. New migrations cannot be applied before the error is recovered from.\n\n"
    "Migration name: {name}\n\nDatabase error code: 55P03\n\nDatabase error:\nERROR: {said}\n\n"
    'DbError {{ severity: "ERROR", parsed_severity: Some(Error), code: SqlState(E55P03), message: "{said}",'
    " detail: None, hint: None, position: None, where_: None, schema: None, table: None, column: None, datatype: None,"
    ' constraint: None, file: Some("postgres.c"), line: Some(3310), routine: Some("ProcessInterrupts") }}\n\n'
    "   0: sql_schema_connector::apply_migration::apply_script"
)
#: Verdicts that may have a plan of repair, and answers that a plan may make right.
_REPAIRABLE = ("partial", "drifted", "undecidable")
_LEFT = (Answer.ASKED, Answer.UNDECIDED, Answer.EITHER)
Kind = TypeVar("Kind", bound=Investigator)


class Unstageable(Exception):  # noqa: N818 - a case, not an error
    """The server refuses what makes the case up."""


@dataclass(frozen=True)
class Judged:
    """A case, each migration's decision, and what it comes to.

    Attributes:
        decisions: verdict and decision for each migration, in words.
        exact: production is as it was before the script, or as after it.
        reasons: why it was decided so.
        repaired: what each plan of repair came to.
        staged: what was run on production, as a script for psql.
        alike: nothing tells an undecided case from another course of events that wants another decision.
    """

    case: Case
    answer: Answer
    decisions: tuple[str, ...]
    exact: bool
    seconds: float
    reasons: tuple[str, ...] = ()
    staged: str = ""
    repaired: tuple[Repaired, ...] = ()
    alike: bool = False


@dataclass
class Recorder:
    """A production, and all that was run on it."""

    connection: psycopg.Connection[Any]
    lines: list[str] = field(default_factory=list)
    rows: dict[str, str] = field(default_factory=dict)
    said: str = _LOCKED
    days: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def run(self, text: str) -> bool:
        """Runs a text as one query; whether it succeeded."""
        try:
            self.connection.execute(text.encode(), prepare=False)
        except psycopg.Error as error:
            if self.connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self.connection.execute("ROLLBACK")
            self.said = error.diag.message_primary or _LOCKED
            return False
        self.lines.append(text if text.rstrip().endswith(";") else f"{text}\n;")
        return True

    def act(self, act: Run | Pieces | Begin | End) -> None:
        """Does an act.

        Raises:
            Unstageable: a needed one failed.
        """
        match act:
            case Run(sql, undone=True):
                with contextlib.suppress(psycopg.Error):
                    self.connection.execute(f"BEGIN;\n{sql}".encode(), prepare=False)
                self.connection.execute("ROLLBACK")
                self.lines.append(f"\\set ON_ERROR_STOP off\nBEGIN;\n{sql};\nROLLBACK;\n\\set ON_ERROR_STOP on")
            case Run(sql, needed=needed):
                if not self.run(sql) and needed:
                    raise Unstageable(f"{self.said}: {sql}")
            case Pieces(text, count):
                self.said = _LOCKED
                pieces = [piece for piece in text.split(";") if piece.strip()]
                for piece in pieces[: min(count, len(pieces) - 1)]:
                    if not self.run(piece):
                        break
            case Begin():
                self.rows[act.name] = self.begin(act.name, act.text)
            case End():
                self.end(act)

    def begin(self, name: str, text: str) -> str:
        found, checksum = str(uuid.uuid4()), hashlib.sha256(text.encode()).hexdigest()
        self.run(
            "INSERT INTO public._prisma_migrations (id, checksum, migration_name, started_at) VALUES"
            f" ('{found}', '{checksum}', '{name}', '2026-03-{next(self.days):02}')"
        )
        return found

    def end(self, act: End) -> None:
        said = {
            "": "",
            "native": _NATIVE.format(name=act.name, said=_LOCKED),
            "javascript": f"Error querying the database: ERROR: {self.said}",
        }[act.logs]
        quoted = "'" + said.replace("'", "''") + "'" if said else "NULL"
        moment = f"started_at + interval '{1 if act.finished else 2} seconds'"
        self.run(
            f"UPDATE public._prisma_migrations SET logs = {quoted}, applied_steps_count = {act.steps}"
            + (f", finished_at = {moment}" if act.finished else "")
            + (f", rolled_back_at = {moment}" if act.withdrawn else "")
            + f" WHERE id = '{self.rows[act.name]}'"
        )


class Stager:
    """Productions on one server. Those of one history are copies of the same database."""

    def __init__(
        self,
        server: Server,
        workshop: Workshop,
        assume: frozenset[str] = frozenset(),
        *,
        repairs: bool = False,
        tells: bool = False,
    ) -> None:
        """Makes nothing yet.

        Args:
            server: of the productions.
            workshop: replays their histories.
            assume: what is assumed of people, such as `no_handwork`.
            repairs: plans of repair are carried out, too.
            tells: of an undecided case, it is found out whether anything could have decided it.
        """
        self._tells = tells
        self._repairs = repairs
        self._server = server
        self._workshop = workshop
        self._assume = assume
        self._numbers = itertools.count(1)
        self._starts: dict[object, tuple[str, list[str]]] = {}
        self._ideals: dict[object, State] = {}
        self._doomed: list[str] = []
        self._admin = server.connect()
        self._copied = " STRATEGY FILE_COPY" if self._admin.info.server_version >= 15_00_00 else ""

    def close(self) -> None:
        """Drops what is kept."""
        self._doomed += [name for name, _ in self._starts.values()]
        self._starts.clear()
        while self._doomed:
            self._admin.execute(f"DROP DATABASE {self._doomed.pop()} WITH (FORCE)".encode())
        self._admin.close()

    def _copy(self, template: str) -> str:
        name = f"fuzz_{next(self._numbers)}"
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}{self._copied}".encode())
        return name

    def _drop(self, database: str) -> None:
        """Drops a database later; dropped at once, PostgreSQL would wait for sessions on it that are just ending."""
        self._doomed.append(database)
        if len(self._doomed) > DOOMED:
            self._admin.execute(f"DROP DATABASE {self._doomed.pop(0)} WITH (FORCE)".encode())

    def recorder(self, case: Case, connection: psycopg.Connection[Any]) -> Recorder:
        """What runs a case's acts on a production; its rows in the ledger follow those of the history."""
        return Recorder(connection, days=itertools.count(len(case.history) + 1))

    @contextlib.contextmanager
    def copied_from(self, template: str) -> Iterator[psycopg.Connection[Any]]:
        """A session on a copy of a database that nobody is connected to; the copy is gone afterwards."""
        self._admin.execute(f"DROP ROLE IF EXISTS {ROLE}".encode())
        name = self._copy(template)
        try:
            with self._server.connect(name) as connection:
                yield connection
        finally:
            self._drop(name)

    def start(self, case: Case) -> tuple[str, list[str]]:
        """The production that a case begins with, and what was run on it.

        Raises:
            Unstageable: its history does not run here.
        """
        key = (case.history, case.rows)
        if key in self._starts:
            return self._starts[key]
        while len(self._starts) >= _KEPT:
            self._drop(self._starts.pop(next(iter(self._starts)))[0])
        name = self._copy("template1")
        try:
            with self._server.connect(name) as connection:
                made = Recorder(connection)
                made.run(LEDGER)
                for migration, text in _history(case).items():
                    for act in (Begin(migration, text), Run(text, needed=True), End(migration, steps=1, finished=True)):
                        made.act(act)
                for text in case.rows:
                    made.act(Run(text, needed=True))
        except Unstageable:
            self._drop(name)
            raise
        self._starts[key] = name, made.lines
        return self._starts[key]

    def ideal(self, case: Case, texts: Sequence[str]) -> State:
        """The state that production would be in, had each of these texts run exactly once.

        Raises:
            Unstageable: one of them does not run.
        """
        key = (case.history, case.rows, tuple(texts))
        if key not in self._ideals:
            with self.copied_from(self.start(case)[0]) as connection:
                for text in texts:
                    if not (made := Recorder(connection)).run(text):
                        raise Unstageable(made.said)
                state = read(connection)
            while len(self._ideals) >= _KEPT:
                self._ideals.pop(next(iter(self._ideals)))
            self._ideals[key] = state
        return self._ideals[key]

    def accepted(self, case: Case, statements: Sequence[Statement]) -> tuple[Statement, ...]:
        """Those statements of a script that run one after another in one transaction."""
        kept = []
        with self.copied_from(self.start(case)[0]) as connection:
            connection.execute("BEGIN; SET CONSTRAINTS ALL IMMEDIATE", prepare=False)
            for each in statements:
                with contextlib.suppress(psycopg.Error), connection.transaction():
                    connection.execute(each.sql.encode(), prepare=False)
                    kept.append(each)
            connection.execute("ROLLBACK")
        return tuple(kept)

    def judge(self, case: Case) -> Judged:
        """Stages a case, asks about it, and compares the decisions with what they come to.

        Raises:
            Unstageable: the server refuses what makes the case up.
        """
        began = time.perf_counter()
        acts = play(case)
        ideal = self.ideal(case, acts.ideal)
        start, before = self.start(case)
        with self.copied_from(start) as connection:
            made = self.recorder(case, connection)
            for act in acts.acts:
                made.act(act)
            now = Reading(connection)
            exact = now.equals(ideal)
            unchanged = not exact and now.equals(self.ideal(case, ()))
            name = connection.info.dbname
            asked = self.ask(case, acts, name)
            repaired: tuple[Repaired, ...] = ()
            if self._repairs and acts.judged == (NAME,) and not acts.asked_as_pending and asked[0][0] in _REPAIRABLE:
                connection.close()
                repaired = self._repaired(case, acts, name, ideal)
                connection = self._server.connect(name)  # noqa: PLW2901 - the copies are made of what nobody is connected to
            if len(acts.judged) > 1:
                answer = self._two(asked, acts, ideal, connection)
            else:
                answer = _one(asked, Truth(exact, lambda: _rerun(connection, acts.files[NAME], ideal)))
        words = tuple(f"{verdict} → {decision or 'nothing said'}" for verdict, decision, _ in asked)
        reasons = tuple(reason for _, _, found in asked for reason in found)
        staged = "\n".join([*before, "-- what happened", *made.lines])
        if any(each.answer is Answer.UNSAFE for each in repaired):
            answer = Answer.UNSAFE
        elif answer in _LEFT and any(each.answer is Answer.DECIDED for each in repaired):
            answer = Answer.REPAIRED
        seconds = time.perf_counter() - began
        alike = answer is Answer.UNDECIDED and self._tells and nothing_tells(self, case, acts, ideal)
        return Judged(case, answer, words, exact or unchanged, seconds, reasons, staged, repaired, alike)

    def _repaired(self, case: Case, acts: Play, database: str, ideal: State) -> tuple[Repaired, ...]:
        """What each plan of repair comes to on a copy."""
        scene = Scene(_scripts(case, acts), self._workshop, ideal, self._assume)
        target = Target(parse(self._server.url(database)), "the fuzzer")
        try:
            found = plans_of(scene, case, target, NAME)
        except Exception as error:  # noqa: BLE001 - every crash is counted
            return (Repaired(Answer.CRASHED, f"{type(error).__name__}: {error}"),)
        finally:
            target.close()
        ended = []
        for each in found:
            for plan in each.evidence.repair.plans:
                with self.copied_from(database) as connection:
                    copy = Target(parse(self._server.url(connection.info.dbname)), "the fuzzer")

                    def again(connection: psycopg.Connection[Any] = connection) -> bool | None:
                        return _rerun(connection, acts.files[NAME], ideal)

                    try:
                        ended.append(carried_out(scene, each, plan, copy, connection, again))
                    except Exception as error:  # noqa: BLE001 - every crash is counted
                        where = traceback.format_exc().splitlines()[-6:]
                        ended.append(Repaired(Answer.CRASHED, f"{plan.way}: {type(error).__name__}: {error} {where}"))
                    finally:
                        copy.close()
        return tuple(ended)

    def ask(self, case: Case, acts: Play, database: str) -> list[tuple[str, Decision | None, tuple[str, ...]]]:
        """Verdict, decision and reasons for each migration; no decision if a pending one isn't spoken of."""
        target = Target(parse(self._server.url(database)), "the fuzzer")
        try:
            scripts = _scripts(case, acts)
            if acts.asked_as_pending:
                pending = _investigator(PendingInvestigator, target, scripts, self._workshop, self._assume)
                compared = pending.compare([*acts.judged], target.rows())
                found = [each.evidence for each in compared.found]
                if not found:
                    return [("not found", None, (compared.missing,))]
            else:
                one = _investigator(Investigator, target, scripts, self._workshop, self._assume)
                found = [one.classify(name).evidence for name in acts.judged]
            return [(str(each.verdict), each.decision, each.reasons) for each in found]
        except Exception as error:  # noqa: BLE001 - every crash is counted
            where = traceback.format_exc().splitlines()[-8:]
            return [(f"{type(error).__name__}: {error}", Decision.WAIT, ("crashed", *where))]
        finally:
            target.close()

    def _two(
        self,
        asked: list[tuple[str, Decision | None, tuple[str, ...]]],
        acts: Play,
        ideal: State,
        connection: psycopg.Connection[Any],
    ) -> Answer:
        """What decisions on two migrations come to; a person may still decide on the other one either way.

        Where no marks at all lead to the ideal, the one that is left to a person is half done, and the mark of the
        other is not to blame.
        """
        if len(asked) < len(acts.judged):
            return Answer.CRASHED
        choices = [_MARKS.get(decision or Decision.WAIT, _OPEN) for _, decision, _ in asked]
        database = connection.info.dbname
        connection.close()
        ends: dict[tuple[bool, ...], bool | None] = {}
        for marks in itertools.product((False, True), repeat=len(choices)):
            again = [acts.files[name] for name, rerun in zip(acts.judged, marks, strict=True) if rerun]
            with self.copied_from(database) as copy:
                ends[marks] = Reading(copy).equals(ideal) if all(Recorder(copy).run(text) for text in again) else None
        left = [
            end
            for marks, end in ends.items()
            if all(mark in choice for mark, choice in zip(marks, choices, strict=True))
        ]
        if all(choice == _OPEN for choice in choices):
            return (Answer.ASKED, Answer.UNDECIDED, Answer.EITHER)[min(left.count(True), 2)]
        if True in left:
            return Answer.DECIDED
        if _OPEN in choices and True not in ends.values():
            return Answer.ASKED
        return Answer.FAILS if None in left else Answer.UNSAFE


#: Of each decision, whether the script would be run again; a person may decide either way.
_OPEN = (False, True)
_MARKS = {Decision.MARK_APPLIED: (False,), Decision.MARK_ROLLED_BACK: (True,), Decision.DEPLOY: (True,)}


def _one(asked: list[tuple[str, Decision | None, tuple[str, ...]]], truth: Truth) -> Answer:
    _, decision, reasons = asked[0]
    if reasons[:1] == ("crashed",):
        return Answer.CRASHED
    return truth.unseen() if decision is None else truth.answer(decision)


def _rerun(connection: psycopg.Connection[Any], text: str, ideal: State) -> bool | None:
    """Runs a script; whether the database is in the ideal state then, None if the script fails."""
    return Reading(connection).equals(ideal) if Recorder(connection).run(text) else None


def _history(case: Case) -> dict[str, str]:
    """The names and texts of the finished migrations."""
    return {
        f"202601{number:02}000000_h{number}": "".join(f"{text};\n" for text in texts)
        for number, texts in enumerate(case.history, start=1)
    }


def files_of(case: Case) -> dict[str, str]:
    """The migrations folder of a case: names and texts."""
    return {**_history(case), **play(case).files}


def _scripts(case: Case, acts: Play) -> Scripts:
    """The folder of a case, and the scripts that only git has any more."""
    migrations = [
        Migration(name, hashlib.sha256(text.encode()).hexdigest(), _FOLDER / name / "migration.sql", text.encode())
        for name, text in sorted({**_history(case), **acts.files}.items())
    ]
    scripts = Scripts(_FOLDER, migrations, None)
    for name, text in acts.known.items():
        checksum = hashlib.sha256(text.encode()).hexdigest()
        scripts._found[(name, checksum)] = Script(name, checksum, text)  # noqa: SLF001 - in place of a repository
    return scripts


def _investigator(
    kind: type[Kind], target: Target, scripts: Scripts, workshop: Workshop, assume: frozenset[str] = frozenset()
) -> Kind:
    """An investigator, with what is assumed if it knows assumptions; no time passes between two looks at a lock."""
    known: dict[str, Any] = {"assume": assume} if "assume" in inspect.signature(kind).parameters else {}
    return kind(target, scripts, workshop, lambda _: None, **known)
