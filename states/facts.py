"""Frozen records of what was observed. The states decide from them; the records draw no conclusions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: One property of one object, as ("table public.x", "column y type").
Key = tuple[str, str]
#: The properties of the objects that exist, with their values; a missing key means that the property is absent.
Snapshot = Mapping[Key, str]


class Outcome(StrEnum):
    """How a check ended."""

    #: The check holds.
    HELD = "held"
    #: The check does not hold.
    REFUSED = "refused"
    #: The check could not be made, which never counts as a pass.
    UNKNOWN = "unknown"
    #: The check does not hold or could not be made, and a person waived it, with a reason.
    WAIVED = "waived"
    #: The check is still being made while the recovery only reads; it has to hold before the first change.
    AWAITED = "awaited"


@dataclass(frozen=True, slots=True)
class Orphan:
    """A session that holds Prisma's migration lock although its client is gone, and the plan to end it.

    It is idle, in no transaction, so that nothing of it is undone when it is ended.

    Attributes:
        pid: its number on the server.
        user: its role.
        application: its `application_name`.
        client: the address that it came from, as the server sees it.
        since: since when it has been idle, as `13:05:10 UTC`, by the server's clock.
        seconds: for how long that was when it was looked at.
        statement: what ends it.
        mark: tells it from another session with this number, and from itself once it has done something again.
    """

    pid: int
    user: str
    application: str
    client: str
    since: str
    seconds: float
    statement: str
    mark: str


@dataclass(frozen=True, slots=True)
class Check:
    """One check of preflight: what was seen, where, and what to do if it does not hold.

    Attributes:
        name: stable, as `target.identity`.
        seen: what the check found.
        source: where it looked.
        busy: if refused, the check is expected to hold by itself in time, as when another deploy ends.
        orphan: the session in the way, if it is an orphan, with the plan to end it; null if it is none.
    """

    name: str
    outcome: Outcome
    seen: str
    source: str
    remedy: str = ""
    busy: bool = False
    orphan: Orphan | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a migration failed, as far as the ledger's `logs` tell.

    Attributes:
        sqlstate: PostgreSQL's five characters; None where the logs hold none.
        kind: one word, as `object_exists`; `unknown` where the logs don't tell.
        transient: another attempt can succeed although nothing was changed (a deadlock, a time-out).
        said: the error's own sentence, in the server's language; empty where the logs hold none. Two failures for the
            same cause may be worded differently.
    """

    sqlstate: str | None
    kind: str
    transient: bool
    said: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something in production that would make a script fail if it ran now.

    Attributes:
        statement: the number of the statement that would fail.
        kind: the kind of the cause, as `duplicates`.
        count: how many rows or values are the obstacle, 1000 for that many or more; None if it is no matter of rows.
        fact: the obstacle, as a sentence without its full stop.
        query: a read-only SQL query that lists what the obstacle consists of.
    """

    statement: int
    kind: str
    count: int | None
    fact: str
    query: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `_prisma_migrations`. Times are ISO 8601 in UTC, by the clock of the client that wrote them.

    Attributes:
        transaction: number of the server's transaction that wrote the row last (`xmin`), modulo 2^32; None if unknown.
            It is no part of what the row says: a rewritten table has others.
    """

    id: str
    migration: str
    checksum: str
    started_at: str
    finished_at: str | None
    rolled_back_at: str | None
    applied_steps_count: int
    logs: str | None
    transaction: int | None = field(default=None, compare=False)

    @property
    def finished(self) -> bool:
        """The migration counts as applied by this row."""
        return self.finished_at is not None and self.rolled_back_at is None

    @property
    def failed(self) -> bool:
        """This row blocks every later deploy (P3009)."""
        return self.finished_at is None and self.rolled_back_at is None


@dataclass(frozen=True, slots=True)
class History:
    """The ledger compared with the migrations folder.

    Attributes:
        applied: names with a finished row, in order of `finished_at`.
        failed: names to classify before any deploy: those with an unfinished row, then pending
            names with a rolled-back attempt, which a deploy would run again (RULES F5).
        pending: names in the folder with no row, or with rolled-back rows only, in the folder's order.
        modified: applied names whose file's checksum is not the one in their row.
        missing_locally: applied and failed names that the folder does not hold.
    """

    applied: tuple[str, ...]
    failed: tuple[str, ...]
    pending: tuple[str, ...]
    modified: tuple[str, ...] = ()
    missing_locally: tuple[str, ...] = ()


class Visibility(StrEnum):
    """Whether the schema can tell that a statement ran."""

    #: The statement's own step changes the catalog.
    SEEN = "seen"
    #: It writes rows, or keeps them under another name, only in what the script itself makes or names so. If that is
    #: absent, so are the rows; if it is there, the rows may still be missing or other ones (RULES E19, E20).
    ROWS = "rows"
    #: The catalog does not tell whether the statement ran, or whether the rows that it writes are there.
    OPEN = "open"
    #: The statement changes nothing by its nature, or PostgreSQL itself said that it skipped it.
    INERT = "inert"
    #: The replay ended before the statement, which only adds to the schema: a second run fails and changes nothing.
    UNREACHED = "unreached"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of the script, as its replay in the scratch database showed it.

    Attributes:
        index: its number; 1 for the first.
        sql: its text.
        visibility: whether the schema can tell that it ran.
        why: the reason for `visibility`, for people; empty if it is obvious.
        atomic: if it fails, it leaves nothing behind; not so for CALL, and DO with COMMIT in it.
        conditional: if its effect is there already, it changes nothing and does not fail (as with IF NOT EXISTS).
        makes: properties that must not exist yet, or it is sure to fail.
        needs: properties that must exist, or it is sure to fail.
        fills: columns that it adds, each with the default that PostgreSQL keeps for their older rows, or an empty text
            if any default does, as for the time of day. Where production keeps such a default, the rows are in place.
        moves: columns, and tables as (object, "exists"), whose rows it keeps under another name or type, as they are
            called at the end of the script. Where production has them in their old place, the rows are in place.
        drops: columns, and tables as (object, "exists"), that it drops, by the names that the tables have at the end.
        skips: properties of which it makes none that is there already, and does not fail either (IF NOT EXISTS).
        fires: tables whose triggers and rules it fires, if it is known what it does only where they have none.
        over: the table whose rows, and no others, it changes or deletes, if production has no trigger on it. Where that
            has no rows, it does nothing. Empty if there is no such table.
    """

    index: int
    sql: str
    visibility: Visibility
    why: str = ""
    atomic: bool = True
    conditional: bool = False
    makes: frozenset[Key] = frozenset()
    needs: frozenset[Key] = frozenset()
    fills: tuple[tuple[Key, str], ...] = ()
    moves: tuple[Key, ...] = ()
    drops: tuple[Key, ...] = ()
    skips: frozenset[Key] = frozenset()
    fires: frozenset[str] = frozenset()
    over: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Proof that an attempt did not get past a statement (RULES E7).

    Attributes:
        row: id of the attempt's row in the ledger.
        statement: the attempt completed neither this statement nor any after it; 1 for the first.
        why: the proof, for people.
        undone: it, and what comes after it, may have run and been undone by a rollback.
    """

    row: str
    statement: int
    why: str
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Why a migration, or a statement of it, was not replayed as it ran in production.

    Attributes:
        statement: the number of the one statement that was left out, whose effect no schema shows; None if the note
            is about the migration as a whole.
        failed: the statement may have run in production, but fails when it is replayed.
    """

    migration: str
    reason: str
    statement: int | None = None
    failed: bool = False

    def __str__(self) -> str:
        """For people."""
        where = "" if self.statement is None else f", statement {self.statement}"
        return f"{self.migration}{where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Replay:
    """What a script does, step by step, on a database that holds the history before it.

    Attributes:
        checksum: SHA-256 of the script.
        statements: all statements of the script.
        steps: S₀ … Sₖ, the footprint's properties before the script and after each statement; k < n if the replay
            ended early.
        footprint: every property that differs between two steps, or that the script names.
        created: objects that the script creates; compared closed (RULES E8).
        added: columns that it adds to tables that existed before; compared closed too.
        named: names, as `public.x`, that the script mentions; an object of that name that only production
            has is a difference too (RULES E9).
        ended: why the replay ended before the script's last statement; None if it did not.
        skipped: the parts of the base that were not replayed as they ran.
        places: for each table in which a column is moved or dropped, its columns in their order at the end of the
            script; an empty name stands for a column that was dropped.
        stood: if the script works on rows, for each table that it alters, the columns in their order before it.
        gone: tables that it drops, each with its columns, as `column x`.
        filled: of the columns that it adds, the values with which PostgreSQL fills rows that are there already.
        alike: tables of the history and the script with the same columns as one of these.
        branches: it leaves another schema where there are rows, so that the steps may not be those of production.
    """

    checksum: str
    statements: tuple[Statement, ...]
    steps: tuple[Snapshot, ...]
    footprint: frozenset[Key]
    created: frozenset[str]
    added: frozenset[Key] = frozenset()
    named: frozenset[str] = frozenset()
    ended: str | None = None
    skipped: tuple[Note, ...] = ()
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stood: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gone: Mapping[str, frozenset[str]] = field(default_factory=dict)
    filled: Mapping[Key, str] = field(default_factory=dict)
    alike: frozenset[str] = frozenset()
    branches: bool = False

    @property
    def total(self) -> int:
        """Number of statements in the script."""
        return len(self.statements)

    @property
    def row_bearing(self) -> bool:
        """Whether a statement may do something that the schema does not show."""
        return any(each.visibility not in (Visibility.SEEN, Visibility.INERT) for each in self.statements)

    @property
    def complete(self) -> bool:
        """Every statement was replayed, so Sₙ is known."""
        return len(self.steps) == self.total + 1


@dataclass(frozen=True, slots=True)
class Twin:
    """A script that makes what the history before it has made already, as when two branches make it (RULES E27).

    Attributes:
        checksum: SHA-256 of the script.
        statement: the number of the statement that fails because its object is there already.
        said: PostgreSQL's message about it.
        by: the migration that made it; empty if it was not found, or if the script does more than add to the schema.
        replay: the script's replay on the history before that migration; None if `by` is empty.
        same: that migration ran the very same script, and Prisma saw it run to its end. So the rows are in place that
            the script writes to what it makes (RULES E20).
    """

    checksum: str
    statement: int
    said: str
    by: str = ""
    replay: Replay | None = None
    same: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person knows of statements whose work on rows the evidence does not show, for exactly one evidence.

    Attributes:
        evidence: the digest of the evidence without any answer.
        done: by the number of each statement, whether its work is done.
    """

    evidence: str = ""
    done: Mapping[int, bool] = field(default_factory=dict)


NO_ANSWERS = Answers()


@dataclass(frozen=True, slots=True)
class Subject:
    """A failed or pending migration, with everything that its verdict rests on.

    Attributes:
        migration: its name.
        attempts: every ledger row of that name, oldest first; empty if it was never attempted.
        replays: one for each distinct script that an attempt ran (RULES E2).
        present: checksum of the file that the folder holds now.
        production: the footprint's properties in production, and all properties of the objects that the script
            creates.
        reread: properties whose text depends on the server's version, as the scratch server writes them (RULES E13);
            compared in the place of production's text.
        unreadable: why there is no replay (script not found, history not replayable); empty if there is one.
        overtaken_by: finished migrations that came after this one and touch its footprint (RULES E10).
        unreplayed: migrations before it, or statements of them, that could not be replayed and may work on the same
            objects, so that the replay's steps may differ from production's.
        filled: for columns of production, the default that PostgreSQL keeps for the rows that were there when the
            column was added (RULES E5).
        places: of production's tables, the columns in their order, as in `Replay.places`.
        alike: tables of production with the same columns as one that a script drops, by the name of that.
        kept: tables that are older than the first attempt, and so have their rows from before (RULES E20).
        remained: of the tables that a script alters or drops, those that are older than the first attempt.
        remade: of the tables in `places`, those that are younger than the migrations before the first attempt: somebody
            made them, or made them again.
        unmoved: of the tables whose rows or columns a statement changes, and of those that one drops, those that are
            older, and were given no other name since.
        firing: tables of production with a trigger or a rule, of those in `Statement.fires`.
        undropped: of the tables in `places`, those of which no column was dropped since the first attempt.
        unaltered: of these, those of which no column was altered at all since then.
        stamped: a migration before it was only marked as applied, so that production's tables may have been made by
            something else, with their columns in another order.
        empty: tables without any row: no row of them can be wrong.
        stops: proofs that an attempt did not get past a statement (RULES E7).
        assume: names of the assumptions that the decision may rest on (RULES E21).
        made_again_by: other failed migrations that may have made again what this one takes away (RULES E30).
        marking: this recovery began to mark it applied, and may have been cut off in between: that its attempts are
            withdrawn says nothing then (RULES F5).
        running: what may still be running it, as sentences; empty if nothing is (RULES E14).
        assumed: the changes of each pending migration before it, in order; it is compared as if these had run.
        ahead: pending migrations before it that a deploy has yet to run and that may work on the same objects.
        twins: one for each of its scripts that makes what the history has made already.
        undecided: failed migrations before it that the evidence does not decide and that may work on the same objects
            (RULES E30).
        answered: by the number of a statement of the present file, whether its work on rows is done, as a person says.
        finished_as: of a pending migration, the name that its folder had when its script finished; empty if it had no
            other (RULES E27).
        counted: Prisma saw the script run to its end under that name.
        repeats: of such a one, it fails on the history before it because what it makes is there already.
        began: a day (`YYYY-MM-DD`) before which no migration ran, by the ledger's first row; empty if it is not known.
    """

    migration: str
    attempts: tuple[Row, ...]
    replays: tuple[Replay, ...]
    present: str
    production: Snapshot = field(default_factory=dict)
    reread: Snapshot = field(default_factory=dict)
    unreadable: str = ""
    overtaken_by: tuple[str, ...] = ()
    unreplayed: tuple[str, ...] = ()
    filled: Snapshot = field(default_factory=dict)
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    alike: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    remained: frozenset[str] = frozenset()
    remade: frozenset[str] = frozenset()
    unmoved: frozenset[str] = frozenset()
    firing: frozenset[str] = frozenset()
    undropped: frozenset[str] = frozenset()
    unaltered: frozenset[str] = frozenset()
    stamped: bool = False
    empty: frozenset[str] = frozenset()
    stops: tuple[Stop, ...] = ()
    assume: frozenset[str] = frozenset()
    made_again_by: tuple[str, ...] = ()
    marking: bool = False
    running: tuple[str, ...] = ()
    assumed: tuple[Mapping[Key, str | None], ...] = ()
    ahead: tuple[str, ...] = ()
    twins: tuple[Twin, ...] = ()
    undecided: tuple[str, ...] = ()
    answered: Mapping[int, bool] = field(default_factory=dict)
    finished_as: str = ""
    counted: bool = False
    repeats: bool = False
    began: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """When, and by which transaction, an object of the footprint was written. A trace is an indication, not a proof.

    Attributes:
        object: an object of a snapshot, or a part of one, as `table public.x column y`.
        order: when the object was written, compared with the last write of the failed attempt's row: before, after,
            same (one transaction wrote both), or unknown.
        transaction: number of the writing transaction; 1 for the first of the list, and the same for the same one.
        owner: the role that owns the object.
        committed_at: ISO 8601 in UTC, by the server's clock; None if the server does not record it.
        after: the migration whose ledger row was the last to be written before the object; empty if not known.
        before: the migration whose ledger row was the first to be written after the object; empty if not known.
        by: whose work it looks like: somebody (by hand, or by `prisma db push`), attempt (a failed attempt of this
            migration), either, or unknown.
        certainty: how certain `by` is: strong, weak or none.
        why: the reason for `by`, as a clause.
    """

    object: str
    order: str
    transaction: int
    owner: str
    committed_at: str | None
    after: str = ""
    before: str = ""
    by: str = "unknown"
    certainty: str = "none"
    why: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """How a failed migration's objects came into production, as far as traces tell. An indication, not a proof.

    Attributes:
        ledger_owner: the role that owns the ledger, and would own the objects that Prisma makes; empty if nothing was
            traced.
        pace: one_transaction; consecutive (several transactions with no other in between); scattered; empty for a
            single trace.
        differing: traces of the objects that differ from the script.
    """

    ledger_owner: str = ""
    pace: str = ""
    differing: tuple[Trace, ...] = ()


@dataclass(frozen=True, slots=True)
class Runner:
    """Which Prisma ran a failed migration.

    Attributes:
        engine: native, javascript, or unknown; told only from the text that it wrote into `logs`.
        version: version of the project's Prisma now, which may not be the one that ran the migration.
        whole: True: it sent the whole script to the server, as one transaction; False: it sent and committed each
            statement by itself; None: not known. True is never assumed.
        source: how this is known, in a sentence for people.
    """

    engine: str = "unknown"
    version: str | None = None
    whole: bool | None = None
    source: str = ""
