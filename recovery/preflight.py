"""The checks of preflight: what was seen, where, and what to do if it does not hold."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from recovery.evidence import LOCK_PATIENCE_SECONDS
from recovery.platform.git import Repository
from recovery.postgres import sessions
from recovery.prisma import ledger
from recovery.target import Target
from states.facts import Check, Outcome

#: Every check there is, by the name that `--waive` takes.
NAMES = (
    "target.identity",
    "target.primary",
    "target.direct",
    "ledger.present",
    "deploy.lock",
    "deploy.ddl",
    "git.commit",
    "git.clean",
    "prisma.target",
    "recovery.alone",
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a person says the target and the checkout are.

    Attributes:
        host: of the target; None where not said.
        database: its name; None where not said.
        commit: a revision that must be checked out; None: whatever is, and shown.
        typed: the database's name as a person typed it into the terminal; None where nobody was asked.
        waived: reason for each check that a person took on, by the check's name.
    """

    host: str | None = None
    database: str | None = None
    commit: str | None = None
    typed: str | None = None
    waived: Mapping[str, str] | None = None


def _held(name: str, seen: str, source: str) -> Check:
    return Check(name, Outcome.HELD, seen, source)


def _refused(name: str, seen: str, source: str, remedy: str, *, busy: bool = False) -> Check:
    return Check(name, Outcome.REFUSED, seen, source, remedy, busy)


def database_checks(target: Target, expected: Expectation) -> list[Check]:
    """Is it the right database, and one that migrations can be resolved on?"""
    connection = target.reading()
    return [
        _identity(target, expected),
        _primary(connection),
        _direct(target, connection),
        _ledger(target, connection),
    ]


def _identity(target: Target, expected: Expectation) -> Check:
    name, source = "target.identity", target.source
    identity = target.identity
    seen = f"{identity.database} on {identity.host}, schema {identity.schema}, PostgreSQL {identity.server_version}"
    remedy = "Correct the URL, or what [production] in prisma-recovery.toml expects."
    if expected.host is not None and expected.host != identity.host:
        return _refused(name, f"{seen}; expected the host {expected.host}", source, remedy)
    if expected.database is not None and expected.database != identity.database:
        return _refused(name, f"{seen}; expected the database {expected.database}", source, remedy)
    if expected.host is not None and expected.database is not None:
        return _held(name, f"{seen}, as expected", source)
    if expected.typed is not None:
        if expected.typed == identity.database:
            return _held(name, f"{seen}, as typed", source)
        return _refused(name, f"{seen}; another name was typed", source, "Run again, and type the database's name.")
    return Check(
        name,
        Outcome.UNKNOWN,
        f"{seen}; nobody said which database this should be",
        source,
        "Set host and database under [production] in prisma-recovery.toml, or give --expect-host and "
        "--expect-database, or run in a terminal.",
    )


def _primary(connection: psycopg.Connection[Any]) -> Check:
    row = connection.execute(
        # What our own session has set is not what counts, so: what it would be reset to.
        "SELECT pg_is_in_recovery(), (SELECT reset_val FROM pg_catalog.pg_settings"
        " WHERE name = 'default_transaction_read_only')"
    ).fetchone()
    in_recovery, read_only = row or (True, None)
    source = "pg_is_in_recovery(), default_transaction_read_only"
    if in_recovery:
        return _refused("target.primary", "a replica", source, "Use the URL of the primary.")
    if read_only == "on":
        return _refused("target.primary", "a read-only database", source, "Make it writable, or use the right URL.")
    return _held("target.primary", "a primary that takes writes", source)


def _direct(target: Target, connection: psycopg.Connection[Any]) -> Check:
    """Session locks don't hold through a transaction pooler, so Prisma's own lock would protect nothing."""
    name = "target.direct"
    remedy = "Use the direct URL (directUrl, DIRECT_URL; on Neon the host without -pooler)."
    if target.url.pooled:
        return _refused(name, "the URL is a transaction pooler's", "the URL", remedy)
    first = connection.execute("SELECT pg_backend_pid()").fetchone()
    if first is not None and first[0] == connection.info.backend_pid:
        return _held(name, "a session of its own", "the backend's pid, as announced")
    # A proxy may give out numbers of its own. While another session is in a transaction, and so has a backend
    # for itself, a pooled session gets a different one; a direct session keeps the one it had.
    with target.working("prisma-recovery pooler check") as other, other.transaction():
        other.execute("SELECT 1")
        second = connection.execute("SELECT pg_backend_pid()").fetchone()
    if first == second:
        return _held(name, "a session of its own, behind a proxy", "two looks at the backend's pid")
    return _refused(name, "the backend changes between two statements", "two looks at the backend's pid", remedy)


def _ledger(target: Target, connection: psycopg.Connection[Any]) -> Check:
    name, where = "ledger.present", f"{target.url.schema}._prisma_migrations"
    if ledger.exists(connection, target.url.schema):
        return _held(name, f"{where} is there", "pg_class")
    return _refused(
        name,
        f"there is no {where}, so no migration can have failed there",
        "pg_class",
        "If `prisma migrate deploy` stops with P3005, baseline the database first, as Prisma's documentation "
        "says; if the ledger is in another schema, name it in the URL (?schema=…).",
    )


def checkout_checks(folder: Path, expected: Expectation) -> list[Check]:
    """Is the intended commit checked out, and are the migrations what it says?"""
    repository = Repository.find(folder)
    if repository is None:
        seen = "the migrations folder is in no git checkout, or git is not installed"
        remedy = 'Run in the checkout, or take it on: --waive git.commit="…" --waive git.clean="…".'
        return [Check(name, Outcome.UNKNOWN, seen, str(folder), remedy) for name in ("git.commit", "git.clean")]
    head = repository.head()
    source = f"git in {repository.root}"
    if expected.commit is None:
        commit = _held("git.commit", f"HEAD is {(head or 'unborn')[:12]}; none was demanded", source)
    else:
        wanted = repository.resolve(expected.commit)
        if wanted is None:
            commit = _refused(
                "git.commit", f"{expected.commit} names no commit here", source, "Fetch it, or correct --expect-commit."
            )
        elif wanted != head:
            seen = f"HEAD is {(head or 'unborn')[:12]}, expected {wanted[:12]} ({expected.commit})"
            commit = _refused("git.commit", seen, source, f"Check out {expected.commit}.")
        else:
            commit = _held("git.commit", f"HEAD is {wanted[:12]}, as expected", source)
    changed = repository.changed(folder)
    if changed:
        shown = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")  # noqa: PLR2004 - what fits a line
        clean = _refused("git.clean", f"not committed: {shown}", source, "Commit or discard it.")
    else:
        clean = _held("git.clean", "the migrations folder is as committed", source)
    return [commit, clean]


def quiet_checks(target: Target, sleep: Callable[[float], None] = time.sleep) -> list[Check]:
    """Is nobody else deploying, or changing the schema?"""
    connection = target.reading()
    waited = 0.0
    while (held := sessions.holders(connection, sessions.PRISMA_LOCK)) and waited < LOCK_PATIENCE_SECONDS:
        sleep(0.25)
        waited += 0.25
    source = "pg_locks, pg_stat_activity"
    if held:
        lock = _refused(
            "deploy.lock",
            f"Prisma's migration lock is held by {held[0]}",
            source,
            "Wait for that deploy to end. An orphan (idle, its client gone) is ended with "
            f"SELECT pg_terminate_backend({held[0].pid});",
            busy=True,
        )
    else:
        lock = _held("deploy.lock", "Prisma's migration lock is free", source)
    others = (*sessions.our_effects(connection), *sessions.running_ddl(connection))
    if others:
        ddl = _refused(
            "deploy.ddl", f"the schema is being changed by {others[0]}", source, "Wait until it has ended.", busy=True
        )
    else:
        ddl = _held("deploy.ddl", "no session is changing the schema", source)
    return [lock, ddl]


def command_checks(proven: bool) -> list[Check]:  # noqa: FBT001 - the one fact there is
    """Does the project's Prisma go where we send it?"""
    source = "`prisma migrate status` with a URL that leads to a listener of ours"
    if proven:
        return [_held("prisma.target", "the project's Prisma goes to the database that it is given", source)]
    return [
        _refused(
            "prisma.target",
            "the project's Prisma did not go to the database that it was given: it may work on another one",
            source,
            "Let schema.prisma or prisma.config read its URL from DATABASE_URL or DIRECT_URL; or see what "
            "`prisma migrate status` says.",
        )
    ]


def waive(checks: list[Check], expected: Expectation) -> tuple[Check, ...]:
    """Marks what a person took on by name, with the reason; a check that holds needs none."""
    waived = expected.waived or {}
    against = (Outcome.REFUSED, Outcome.UNKNOWN)
    return tuple(
        replace(check, outcome=Outcome.WAIVED, seen=f"{check.seen}; waived: {waived[check.name]}")
        if check.name in waived and check.outcome in against
        else check
        for check in checks
    )
