"""Frozen records that states read: what was observed, without a word on what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: One property of one object, as ("table public.x", "column y type").
Key = tuple[str, str]
#: Property values of the objects that exist; a missing key means that the property is absent.
Snapshot = Mapping[Key, str]


class Outcome(StrEnum):
    """How a check ended."""

    #: It was made, and holds.
    HELD = "held"
    #: It was made, and does not hold.
    REFUSED = "refused"
    #: It could not be made; never a pass.
    UNKNOWN = "unknown"
    #: It does not hold or could not be made, and a person took it on, with a reason.
    WAIVED = "waived"
    #: It is being made, beside all that changes nothing; before the first change it has to hold.
    AWAITED = "awaited"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of preflight: what was seen, where, and what to do if it does not hold.

    Attributes:
        name: stable, as `target.identity`.
        busy: a refusal of it passes by itself (a deploy that is running).
    """

    name: str
    outcome: Outcome
    seen: str
    source: str
    remedy: str = ""
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a migration failed, as far as the ledger's `logs` tell.

    Attributes:
        sqlstate: PostgreSQL's five characters; None where the logs hold none.
        kind: one word, as `object_exists`; `unknown` where the logs don't tell.
        transient: another try can succeed with nothing changed (a deadlock, a time-out).
    """

    sqlstate: str | None
    kind: str
    transient: bool


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What would make a script fail that is run now, because of what production holds.

    Attributes:
        statement: the number of the statement that would fail.
        kind: the word of the cause for it, as `duplicates`.
        count: how many rows or values stand in the way, 1000 for that many or more; None where it is no matter of rows.
        fact: what is true, as a sentence without its full stop.
        query: SQL that only reads, and lists what stands in the way.
    """

    statement: int
    kind: str
    count: int | None
    fact: str
    query: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `_prisma_migrations`. Times are ISO 8601 in UTC; `started_at` is the client's clock."""

    id: str
    migration: str
    checksum: str
    started_at: str
    finished_at: str | None
    rolled_back_at: str | None
    applied_steps_count: int
    logs: str | None

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
    """Ledger and migrations folder side by side.

    Attributes:
        applied: names with a finished row, in order of `finished_at`.
        failed: names to classify before any deploy: those with an unfinished row, then pending
            names with a rolled-back attempt, which a deploy would run again (RULES F5).
        pending: names of the folder with no row, or with rolled-back rows only, in the folder's order.
        modified: applied names whose file has another checksum than their row.
        missing_locally: names of the ledger that the folder does not hold.
    """

    applied: tuple[str, ...]
    failed: tuple[str, ...]
    pending: tuple[str, ...]
    modified: tuple[str, ...] = ()
    missing_locally: tuple[str, ...] = ()


class Visibility(StrEnum):
    """Whether the schema can tell that a statement ran."""

    #: Its own step changes the catalog.
    SEEN = "seen"
    #: Its own step changes the catalog, and it writes rows into what it makes: where that is not there, they aren't
    #: either; where it is, nothing tells whether they are.
    ROWS = "rows"
    #: Nothing in the catalog tells whether it ran, or whether the rows it writes are there.
    OPEN = "open"
    #: It changes nothing by its nature, or PostgreSQL itself said that it skipped it.
    INERT = "inert"
    #: The path ended before it, and it only adds to the schema: running it twice fails, and changes nothing.
    UNREACHED = "unreached"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of the failed script, as its replay in the scratch database showed it.

    Attributes:
        index: 1 for the first.
        sql: its text.
        visibility: what the schema can tell.
        why: the reason for `visibility`, for people; empty when it is plain.
        atomic: where it failed, it left nothing behind (CALL, and DO with COMMIT in it, may have).
        conditional: where its effect is there already, it changes nothing and does not fail.
        makes: what it is sure to fail on, where that is there already.
        needs: what it is sure to fail without.
        fills: columns with what their rows were filled with, where PostgreSQL keeps that and the statement writes no
            other rows: a column that production keeps the same of was added with it, rows and all.
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


@dataclass(frozen=True, slots=True)
class Stop:
    """Proof that an attempt did not get past a statement (RULES E7).

    Attributes:
        row: id of the attempt's row in the ledger.
        statement: the attempt completed neither this statement nor any after it; 1 for the first.
        why: what proves it, for people.
    """

    row: str
    statement: int
    why: str


@dataclass(frozen=True, slots=True)
class Note:
    """What of a migration was not replayed as it ran.

    Attributes:
        statement: the only one that was left out, which no schema shows; None: it is about the migration as a whole.
    """

    migration: str
    reason: str
    statement: int | None = None

    def __str__(self) -> str:
        """For people."""
        where = "" if self.statement is None else f", statement {self.statement}"
        return f"{self.migration}{where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Replay:
    """What the failed script does, step by step, on top of the history before it.

    Attributes:
        checksum: SHA-256 of the script.
        statements: all of the script's.
        steps: S₀ … Sₖ, the footprint's properties after each statement; k < n if the path ended.
        footprint: every property that differs between two steps, or that the script names.
        created: objects that the script creates; compared closed (RULES E8).
        added: columns that it adds to tables that were there before; compared closed too.
        named: names, as `public.x`, that the script mentions; an object of that name that only production
            has is a difference too (RULES E9).
        ended: why the path ended before the script's last statement; None if it did not.
        skipped: what of the base was not replayed as it ran.
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

    @property
    def total(self) -> int:
        """Number of statements in the script."""
        return len(self.statements)

    @property
    def complete(self) -> bool:
        """Every statement was replayed, so Sₙ is known."""
        return len(self.steps) == self.total + 1


@dataclass(frozen=True, slots=True)
class Subject:
    """A failed or pending migration, with everything that its verdict rests on.

    Attributes:
        migration: its name.
        attempts: every ledger row of that name, oldest first; none for one that is pending.
        replays: one for each distinct script that an attempt ran (RULES E2).
        present: checksum of the file that the folder holds now.
        production: the footprint's properties in production, and all of the objects that the script creates.
        reread: those of them that a server of another version writes otherwise, as the scratch server writes
            them (RULES E13); compared in place of what production wrote.
        unreadable: why there is no replay (script not found, history not replayable); empty if there is one.
        overtaken_by: finished migrations that came after this one and touch its footprint (RULES E10).
        unreplayed: migrations before it that could not be replayed and may work on the same objects, so that
            the steps may not be what production would have seen.
        filled: what production keeps of how the rows of columns were filled when they were added (RULES E5).
        stops: proofs that an attempt did not get past a statement (RULES E7).
        running: what is still at work on it, as sentences; empty if nothing is (RULES E14).
        assumed: what the pending migrations before it change, each one's in turn: it is compared as if they had run.
        ahead: pending migrations before it that a deploy has yet to run, and that may work on the same objects.
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
    stops: tuple[Stop, ...] = ()
    running: tuple[str, ...] = ()
    assumed: tuple[Mapping[Key, str | None], ...] = ()
    ahead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """When, and by which transaction, an object of the footprint was written. It indicates, and never proves.

    Attributes:
        object: an object of a snapshot, or a part of one, as `table public.x column y`.
        order: its writing against the last write of the failed attempt's row: before, after, same (one transaction
            wrote both), or unknown.
        transaction: 1 for the first of the list; equal numbers are one transaction.
        owner: the role that owns it.
        committed_at: ISO 8601 in UTC, by the server's clock; None where the server does not keep that.
        after: the migration whose row of the ledger was the last to be written before it; empty if that is not known.
        before: the migration whose row was the first to be written after it; empty likewise.
        by: whose work it looks like: somebody (by hand, or by `prisma db push`), attempt (a failed attempt of this
            migration), either, or unknown.
        certainty: of `by`: strong, weak or none.
        why: what speaks for `by`, as a clause.
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
    """How what production has of a failed migration came about, as far as traces tell. It indicates, and never proves.

    Attributes:
        ledger_owner: the role that owns the ledger, and would own what Prisma makes; empty if nothing was traced.
        pace: one_transaction; consecutive: by transactions with none in between; scattered; empty for a single trace.
        differing: traces of what production has otherwise than the script.
    """

    ledger_owner: str = ""
    pace: str = ""
    differing: tuple[Trace, ...] = ()


@dataclass(frozen=True, slots=True)
class Runner:
    """Which Prisma ran a failed migration.

    Attributes:
        engine: native, javascript, or unknown; known by what it wrote into `logs` only.
        version: of the project's Prisma as it is now; the one that ran the migration may have been another.
        whole: it sent the script to the server whole, as one transaction; False: statement by statement, each
            committed; None: not known. True is never assumed.
        source: what that rests on, in a sentence for people.
    """

    engine: str = "unknown"
    version: str | None = None
    whole: bool | None = None
    source: str = ""
