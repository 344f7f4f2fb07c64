"""Looks at the databases of a fleet, read only: the replay once a history, the comparison once a database."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from recovery import events
from recovery.app.opening import observing
from recovery.app.session import Options, Session
from recovery.errors import RecoveryError, UnreachableError
from recovery.evidence.proof import Prover, Whole
from recovery.fleet.ends import ANY_SCHEMA, Asked, Ends, schema_for
from recovery.fleet.targets import FleetMember
from recovery.postgres import ledger
from recovery.postgres.connect import answering
from recovery.postgres.target import Identity, Target
from recovery.prisma.git import Repository
from recovery.prisma.migrations import read as read_migrations
from recovery.prisma.scripts import Scripts
from recovery.replay.lending import ScratchPool
from recovery.sql.script import Script
from states.baseline import looked_for
from states.facts import History, Row
from states.fleet import LookFacts, Outcome, outcome
from states.inspection import InspectFacts

#: How many differences of a database are kept; the others are counted.
SHOWN = 5
#: How many histories' scripts are kept.
_KEPT = 256
#: Databases looked at in one go by a thread on one connection, where they are schemas of one database.
_TOGETHER = 25
_LOST = "The ledger is missing, empty, or lacks its beginning; the schema itself has to tell how far it is."


@dataclass(frozen=True, slots=True)
class FailedFound:
    """A failed migration of one database.

    Attributes:
        migration: its name.
        verdict: what the evidence says.
        decision: what follows from it.
        digest: of the evidence.
    """

    migration: str
    verdict: str
    decision: str
    digest: str


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found of a database.

    Attributes:
        name: the target's name.
        labels: its labels.
        place: host, port, database and schema, for people.
        outcome: what it is.
        applied: how many migrations are applied.
        pending: names of the pending migrations.
        failed: the failed migrations, with the verdict on each.
        differences: the first few differences from what its history makes, in words.
        more: how many there are besides.
        said: a sentence on it, where the outcome alone does not tell.
        identity: what tells whether two names lead to one database; empty if it was not reached.
        key: the target, as the journal names it; empty if it was not reached.
    """

    name: str
    labels: Mapping[str, str]
    place: str
    outcome: Outcome
    applied: int = 0
    pending: tuple[str, ...] = ()
    failed: tuple[FailedFound, ...] = ()
    differences: tuple[str, ...] = ()
    more: int = 0
    said: str = ""
    identity: tuple[str, ...] = ()
    key: str = ""


@dataclass(slots=True)
class Looker:
    """Looks at databases of one fleet. Can be used from any thread, and holds as much whatever their number.

    Attributes:
        project: a folder of the Prisma project.
        options: options for the evidence on what failed.
        environ: environment variables.
        pool: scratch servers.
        scripts: the scripts of the checkout.
        ends: the ends of the histories.
    """

    project: Path
    options: Options
    environ: Mapping[str, str]
    pool: ScratchPool
    scripts: Scripts
    ends: Ends
    _known: dict[tuple[object, ...], tuple[History, list[Script]]] = field(default_factory=dict)

    def look(self, members: Sequence[FleetMember], stop: Callable[[], bool] = lambda: False) -> Iterator[Look]:
        """Looks at databases in turn, over one connection as long as they are schemas of one database.

        Whatever keeps one from being looked at is an outcome, too.

        Args:
            members: the databases.
            stop: tells that no further one is to be looked at.
        """
        last: Target | None = None
        try:
            for member in members:
                if stop():
                    return
                target = Target(member.url, f"the fleet's target {member.name}")
                if last is not None:
                    if last.url.conninfo == member.url.conninfo:
                        last.hand_on(target)
                    last.close()
                last = target
                yield self._look(member, target)
        finally:
            if last is not None:
                last.close()

    def _look(self, member: FleetMember, target: Target) -> Look:
        place = str(member.url).partition("://")[2].rpartition("@")[2]
        found = Look(member.name, member.labels, place, Outcome.UNREACHABLE)
        try:
            with answering(member.url):
                return self._looked(member, target, found)
        except RecoveryError as error:
            away = isinstance(error, UnreachableError) or error.code == "database.refused"
            what = Outcome.UNREACHABLE if away else Outcome.UNKNOWN
            return replace(found, outcome=what, said=error.fact)

    def _looked(self, member: FleetMember, target: Target, found: Look) -> Look:
        identity, rows = target.identity, target.rows()
        history, scripts = self._history(rows)
        pending, unsettled = history.pending, InspectFacts(history).unsettled
        found = replace(
            found, applied=len(history.applied), pending=pending, key=identity.key, identity=told_apart(identity)
        )
        if looked_for(history, rows, begun=False):
            if not rows and ledger.is_empty(target.reading(), member.url.schema):
                return replace(found, outcome=outcome(LookFacts(pending=pending)))
            return replace(found, outcome=outcome(LookFacts(unsettled, pending, lost=True)), said=_LOST)
        if unsettled:
            failed = self._failed(member, unsettled)
            return replace(found, outcome=outcome(LookFacts(unsettled, pending)), failed=failed)
        whole = self._whole(member, target, rows, scripts)
        unprovable = whole.left_out[0] if whole.left_out else ""
        facts = LookFacts(pending=pending, differs=bool(whole.differences), unprovable=unprovable)
        return replace(
            found,
            outcome=outcome(facts),
            differences=tuple(str(each) for each in whole.differences[:SHOWN]),
            more=max(0, len(whole.differences) - SHOWN),
            said=f"Not replayed: {unprovable}" if unprovable else "",
        )

    def _history(self, rows: tuple[Row, ...]) -> tuple[History, list[Script]]:
        """The ledger beside the folder, and the scripts that ran: worked out once for all ledgers that say the same."""
        key: tuple[object, ...] = (
            tuple((r.migration, r.checksum, r.applied_steps_count >= 1, r.finished, r.failed) for r in rows),
            tuple(sorted(range(len(rows)), key=lambda at: rows[at].finished_at or "")),
        )
        known = self._known.get(key)
        if known is None:
            known = self.scripts.history(rows), self.scripts.finished(rows)[0]
            self._known[key] = known
            while len(self._known) > _KEPT:
                self._known.pop(next(iter(self._known)), None)
        return known

    def _whole(self, member: FleetMember, target: Target, rows: tuple[Row, ...], scripts: Sequence[Script]) -> Whole:
        ran = {(row.migration, row.checksum) for row in rows if row.finished}
        withdrawn = {(row.migration, row.checksum) for row in rows if row.rolled_back_at is not None} - ran
        found = {script.migration for script in scripts}
        unknown = {(name, checksum) for name, checksum in ran if name not in found}
        marks = tuple(f"{name}:{checksum}" for name, checksum in sorted(withdrawn | unknown))

        def closer() -> Whole:
            with self._session(member).workshop(target) as workshop:
                return Prover(target, self.scripts, workshop).whole(rows)

        return self.ends.compare(Asked(target, scripts, marks, lambda: self.scripts.every_text(rows), closer))

    def _session(self, member: FleetMember) -> Session:
        return Session(for_member(self.options, member), self.project, self.environ, lent=self.pool)

    def _failed(self, member: FleetMember, names: Iterable[str]) -> tuple[FailedFound, ...]:
        """The evidence on failed migrations, as `inspect` of this one database finds it."""
        with observing(self._session(member), _nobody, events.nobody) as observer:
            found = [observer.classify(name).evidence for name in names]
        return tuple(FailedFound(e.migration, e.verdict, e.decision, e.evidence_digest) for e in found)


def _nobody(_where: str) -> str | None:
    return None


def told_apart(identity: Identity) -> tuple[str, ...]:
    """What tells whether two names lead to one database: server, number of the database, and schema."""
    return (identity.parts[0], str(identity.database_oid), identity.schema)


def for_member(options: Options, member: FleetMember) -> Options:
    """The options for a recovery of one database; the fleet's list is what says which host and database it is."""
    return Options(
        database_url=member.url.url,
        migrations=options.migrations,
        schema=options.schema,
        config=options.config,
        expect_host=member.url.host,
        expect_database=member.url.database,
        expect_commit=options.expect_commit,
        waive=options.waive,
        journal=options.journal,
        restore_point=options.restore_point,
        assume=options.assume,
        scripts=options.scripts,
    )


@contextlib.contextmanager
def looking(
    project: Path, options: Options, environ: Mapping[str, str], members: Sequence[FleetMember], pool: ScratchPool
) -> Iterator[Looker]:
    """Opens what is needed to look at these databases, of which there is at least one."""
    session = Session(options, project, environ, lent=pool)
    folder = session.folder()
    repository = None if session.config.source == "image" else Repository.find(folder)
    scripts = Scripts(folder, read_migrations(folder), repository, session.elsewhere())
    schema = schema_for({member.url.schema for member in members})
    url = members[0].url
    if schema == ANY_SCHEMA:
        url = replace(url, schema=schema)  # no connection is made for a schema, so that any can be asked for
    with contextlib.closing(Target(url, "the fleet")) as first, session.workshop(first) as workshop:
        yield Looker(project, options, environ, pool, scripts, Ends(workshop, schema))


def each_look(
    looker: Looker, members: Sequence[FleetMember], jobs: int = 0, stop: Callable[[], bool] = lambda: False
) -> Iterator[Look]:
    """Looks at all databases, several at a time, and gives what is found as it is found; only a few are kept.

    Args:
        looker: looks at one.
        members: the databases.
        jobs: how many at a time; 0: twice as many as there are processors.
        stop: tells that no further one is to be looked at.
    """
    jobs = jobs or 2 * (os.cpu_count() or 1)
    # Schemas of one database next to each other, so that they share a connection.
    bundles = _bundles(sorted(members, key=lambda member: member.url.conninfo))
    with ThreadPoolExecutor(jobs, thread_name_prefix="fleet") as threads:

        def work(bundle: Sequence[FleetMember]) -> list[Look]:
            return list(looker.look(bundle, stop))

        at_work: set[Future[list[Look]]] = set()
        while True:
            while len(at_work) < jobs and (bundle := next(bundles, None)) is not None:
                at_work.add(threads.submit(work, bundle))
            if not at_work:
                return
            done, at_work = wait(at_work, return_when=FIRST_COMPLETED)
            for each in done:
                yield from each.result()


def _bundles(order: Sequence[FleetMember]) -> Iterator[Sequence[FleetMember]]:
    bundle: list[FleetMember] = []
    for member in order:
        if bundle and (member.url.conninfo != bundle[0].url.conninfo or len(bundle) == _TOGETHER):
            yield bundle
            bundle = []
        bundle.append(member)
    if bundle:
        yield bundle
