"""The checks of preflight: what was seen, where, and what to do if it does not hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from recovery.errors import RecoveryError
from recovery.outcomes import held, refused, unknown
from recovery.pins import Pin
from recovery.platform.git import Repository
from recovery.postgres import privileges
from recovery.prisma import ledger
from recovery.target import Target
from states.facts import Check, Outcome

#: Every check there is, by the name that `--waive` takes.
NAMES = (
    "target.identity",
    "target.primary",
    "target.direct",
    "target.privileges",
    "ledger.present",
    "deploy.lock",
    "deploy.ddl",
    "git.commit",
    "git.clean",
    "git.ledger",
    "neon.branch",
    "vercel.deploy",
    "vercel.commit",
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


#: Instead of a revision: the commit that Vercel runs as production.
VERCEL = "vercel"


def database_checks(target: Target, expected: Expectation, pin: Callable[[], Pin | None] = lambda: None) -> list[Check]:
    """Is it the right database, and one that migrations can be resolved on?

    Args:
        target: the production database.
        expected: what a person says that it is.
        pin: what it was when a person last confirmed it.
    """
    connection = target.reading()
    return [
        _same_server(_identity(target, expected), target, pin),
        _primary(connection),
        _direct(target, connection),
        _ledger(target, connection),
        *_privileges(target, connection),
    ]


def _same_server(check: Check, target: Target, pin: Callable[[], Pin | None]) -> Check:
    """The identity, refused where its names hold and lead to another server than the last time."""
    now = target.identity.system_identifier
    if check.outcome is Outcome.REFUSED or now is None:
        return check
    try:
        then = pin()
    except RecoveryError as error:
        return unknown(
            check.name, f"{check.seen}; what it was before is not known. {error.fact}", check.source, error.remedy
        )
    if then is None or then.system_identifier == now:
        return check
    return refused(
        check.name,
        f"{check.seen}; its system identifier is {now}, and was {then.system_identifier} in run {then.run}: the same "
        "name leads to another server",
        f"{check.source}, and the journal",
        "Find out why. Where the server was replaced, or restored from a dump, confirm the new one once: "
        f'--waive {check.name}="why".',
    )


def _identity(target: Target, expected: Expectation) -> Check:
    name, source = "target.identity", target.source
    identity = target.identity
    seen = f"{identity.database} on {identity.host}, schema {identity.schema}, PostgreSQL {identity.server_version}"
    remedy = "Correct the URL, or what [production] in prisma-recovery.toml expects."
    if expected.host is not None and expected.host != identity.host:
        return refused(name, f"{seen}; expected the host {expected.host}", source, remedy)
    if expected.database is not None and expected.database != identity.database:
        return refused(name, f"{seen}; expected the database {expected.database}", source, remedy)
    if expected.host is not None and expected.database is not None:
        return held(name, f"{seen}, as expected", source)
    if expected.typed is not None:
        if expected.typed == identity.database:
            return held(name, f"{seen}, as typed", source)
        return refused(name, f"{seen}; another name was typed", source, "Run again, and type the database's name.")
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
        return refused("target.primary", "a replica", source, "Use the URL of the primary.")
    if read_only == "on":
        return refused("target.primary", "a read-only database", source, "Make it writable, or use the right URL.")
    return held("target.primary", "a primary that takes writes", source)


def _direct(target: Target, connection: psycopg.Connection[Any]) -> Check:
    """Session locks don't hold through a transaction pooler, so Prisma's own lock would protect nothing."""
    name = "target.direct"
    label, _, rest = target.url.host.partition(".")
    direct = f"{label.removesuffix('-pooler')}.{rest}" if label.endswith("-pooler") else "the host without -pooler"
    remedy = f"Use the direct URL (directUrl, DIRECT_URL; on Neon {direct})."
    if target.url.pooled:
        return refused(name, "the URL is a transaction pooler's", "the URL", remedy)
    first = connection.execute("SELECT pg_backend_pid()").fetchone()
    if first is not None and first[0] == connection.info.backend_pid:
        return held(name, "a session of its own", "the backend's pid, as announced")
    # A proxy may give out numbers of its own. While another session is in a transaction, and so has a backend
    # for itself, a pooled session gets a different one; a direct session keeps the one it had.
    with target.working("prisma-recovery pooler check") as other, other.transaction():
        other.execute("SELECT 1")
        second = connection.execute("SELECT pg_backend_pid()").fetchone()
    if first == second:
        return held(name, "a session of its own, behind a proxy", "two looks at the backend's pid")
    return refused(name, "the backend changes between two statements", "two looks at the backend's pid", remedy)


def _ledger(target: Target, connection: psycopg.Connection[Any]) -> Check:
    name, where = "ledger.present", f"{target.url.schema}._prisma_migrations"
    if ledger.exists(connection, target.url.schema):
        return held(name, f"{where} is there", "pg_class")
    return refused(
        name,
        f"there is no {where}, so no migration can have failed there",
        "pg_class",
        "If `prisma migrate deploy` stops with P3005, baseline the database first, as Prisma's documentation "
        "says; if the ledger is in another schema, name it in the URL (?schema=…).",
    )


def _privileges(target: Target, connection: psycopg.Connection[Any]) -> list[Check]:
    """Whoever deploys writes the ledger, and as a rule owns the tables; none without a ledger, which is refused."""
    name, source, schema = "target.privileges", "pg_class, pg_namespace", target.url.schema
    found = privileges.read(connection, schema)
    if found is None:
        return []
    if found.hidden:
        return [
            refused(
                name,
                f"{found}; row level security hides rows of the ledger from it",
                source,
                "Use the role that runs `prisma migrate deploy`: the ledger's owner, or one with BYPASSRLS.",
            )
        ]
    grants = privileges.grants(connection, schema, found)
    if not grants:
        return [held(name, str(found), source)]
    lacks = [
        *(f"may not {word} on the ledger" for word in found.lacking),
        *([] if found.creates else [f"may not create in the schema {schema}"]),
        *(f"is no member of {each.name}, who owns most tables" for each in found.owners[:1] if not each.ours),
    ]
    remedy = f"Use the role that runs `prisma migrate deploy`, or let the owner run: {' '.join(grants)}"
    return [refused(name, f"{found}; the role {', '.join(lacks)}", source, remedy)]


def checkout_checks(folder: Path, expected: Expectation) -> list[Check]:
    """Is the intended commit checked out, and are the migrations what it says?"""
    repository = Repository.find(folder)
    if repository is None:
        seen = "the migrations folder is in no git checkout, or git is not installed"
        remedy = 'Run in the checkout, or take it on: --waive git.commit="…" --waive git.clean="…".'
        return [Check(name, Outcome.UNKNOWN, seen, str(folder), remedy) for name in ("git.commit", "git.clean")]
    head = repository.head()
    source = f"git in {repository.root}"
    if expected.commit == VERCEL:
        commit = held("git.commit", f"HEAD is {(head or 'unborn')[:12]}; vercel.commit compares it", source)
    elif expected.commit is None:
        commit = held("git.commit", f"HEAD is {(head or 'unborn')[:12]}; none was demanded", source)
    else:
        wanted = repository.resolve(expected.commit)
        if wanted is None:
            commit = refused(
                "git.commit", f"{expected.commit} names no commit here", source, "Fetch it, or correct --expect-commit."
            )
        elif wanted != head:
            seen = f"HEAD is {(head or 'unborn')[:12]}, expected {wanted[:12]} ({expected.commit})"
            commit = refused("git.commit", seen, source, f"Check out {expected.commit}.")
        else:
            commit = held("git.commit", f"HEAD is {wanted[:12]}, as expected", source)
    changed = repository.changed(folder)
    if changed:
        shown = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")  # noqa: PLR2004 - what fits a line
        clean = refused("git.clean", f"not committed: {shown}", source, "Commit or discard it.")
    else:
        clean = held("git.clean", "the migrations folder is as committed", source)
    return [commit, clean]


def command_checks(proven: bool) -> list[Check]:  # noqa: FBT001 - the one fact there is
    """Does the project's Prisma go where we send it?"""
    source = "`prisma migrate status` with a URL that leads to a listener of ours"
    if proven:
        return [held("prisma.target", "the project's Prisma goes to the database that it is given", source)]
    return [
        refused(
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
