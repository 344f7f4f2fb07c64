"""Preflight's checks of the database, the checkout and the project's Prisma CLI."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg

from recovery.journal.confirmations import Confirmation
from recovery.postgres import ledger, privileges
from recovery.postgres.target import Target
from recovery.preflight.asking import asked
from recovery.preflight.expectation import VERCEL, Expectation
from recovery.preflight.identity import identity_check
from recovery.preflight.image import from_image, image_checks
from recovery.prisma.git import Repository
from states.checks import awaited, held, refused, unknown
from states.facts import Check, Outcome

PRISMA = "prisma.target"

_PRIMARY = "pg_is_in_recovery(), default_transaction_read_only"
_PRIVILEGES = "pg_class, pg_namespace"
_SLOW = (
    "Find out why `prisma migrate status` takes so long, and run again; or let it take longer: start_seconds under "
    "[prisma] in prisma-recovery.toml."
)
#: Prisma 7 hands the URL to its engine in the engine's arguments; earlier ones only as they begin.
_URL_IN_ARGUMENTS = "7."
_URL_IS_SEEN = (
    "Prisma {} hands the URL, password included, to its engine as an argument, so who may list the processes of this "
    "machine can read it while a command runs"
)
_LISTENER = "`prisma migrate status` with the URL of a listener of ours"


def database_checks(
    target: Target, expected: Expectation, confirmed: Callable[[], Sequence[Confirmation]] = lambda: ()
) -> list[Check]:
    """The checks that this is the right database, and one on which migrations can be resolved.

    Args:
        target: the production database.
        expected: the host and database that a person named.
        confirmed: reads the earlier confirmations from the journal.
    """
    connection = target.reading()
    return [
        asked("target.identity", "the URL", lambda: identity_check(target, expected, confirmed)),
        asked("target.primary", _PRIMARY, lambda: _primary(connection)),
        asked("target.direct", "the URL", lambda: _direct(target, connection)),
        asked("ledger.present", "pg_class", lambda: _ledger(target, connection)),
        asked("target.privileges", _PRIVILEGES, lambda: _privileges(target, connection)),
    ]


def _primary(connection: psycopg.Connection[Any]) -> Check:
    row = connection.execute(
        # reset_val: the default of the database and the role, not the value that our own read-only session has set.
        "SELECT pg_is_in_recovery(), (SELECT reset_val FROM pg_catalog.pg_settings"
        " WHERE name = 'default_transaction_read_only')"
    ).fetchone()
    in_recovery, read_only = row or (True, None)
    if in_recovery:
        return refused("target.primary", "a replica", _PRIMARY, "Use the URL of the primary.")
    if read_only == "on":
        return refused(
            "target.primary",
            "a read-only database: default_transaction_read_only is on",
            _PRIMARY,
            "Use the right URL; or find out why it is read only (a full disk, a switch-over), and make it writable.",
        )
    return held("target.primary", "a primary that takes writes", _PRIMARY)


def _direct(target: Target, connection: psycopg.Connection[Any]) -> Check:
    """The check that the URL is no transaction pooler's: behind a pooler, Prisma's lock protects nothing."""
    name = "target.direct"
    if target.url.pooled:
        seen = f"the URL is a transaction pooler's ({target.url.host}:{target.url.port})"
        return refused(name, seen, "the URL", target.url.past_the_pooler)
    first = connection.execute("SELECT pg_backend_pid()").fetchone()
    if first is not None and first[0] == connection.info.backend_pid:
        return held(name, "a session of its own", "the backend's pid, as announced")
    # A transaction pooler would have been refused while connecting already (`database.pooled`).
    return held(name, "a session of its own, behind a proxy", "the backend's pid, compared with another session's")


def _ledger(target: Target, connection: psycopg.Connection[Any]) -> Check:
    name, where, source = "ledger.present", f"{target.url.schema}._prisma_migrations", "pg_class"
    if ledger.kept_by_prisma_8(connection):
        return refused(
            name,
            "the database is Prisma 8's: its history is in the schema prisma_contract",
            source,
            "This tool knows Prisma 3 to 7 only. Use Prisma 8's own commands.",
        )
    missing = ledger.missing_columns(connection, target.url.schema)
    others = ledger.elsewhere(connection, target.url.schema) if missing is None else ()
    if missing is None and ledger.is_empty(connection, target.url.schema):
        return held(name, f"the schema {target.url.schema} is empty: a deploy makes the ledger, and all else", source)
    if missing is None and not ledger.schema_exists(connection, target.url.schema):
        return refused(
            name,
            f"there is no schema {target.url.schema}, and so no ledger in it",
            source,
            f"Name the schema of the ledger in the URL (?schema={others[0] if others else '…'}).",
        )
    if missing is None:
        also = f"; another ledger is in the schema {', '.join(others)}" if others else ""
        seen = f"there is no {where}: the schema itself has to tell what was deployed{also}"
        return held(name, seen, source)
    if missing:
        return refused(
            name,
            f"{where} has no column {', '.join(missing)}: it is not the ledger of Prisma 3 to 7",
            source,
            "Use the version of Prisma that made this table.",
        )
    return held(name, f"{where} exists", source)


def _privileges(target: Target, connection: psycopg.Connection[Any]) -> Check:
    """The check that the role may do what a deploy does: write the ledger, create objects, alter existing tables."""
    name, source, schema = "target.privileges", _PRIVILEGES, target.url.schema
    found = privileges.read(connection, schema)
    if found is None:
        role, creates = privileges.may_create(connection, schema)
        owners = privileges.owners(connection, schema)
        if creates and owners and not owners[0].ours:
            return refused(
                name,
                f"role {role} is not a member of {owners[0].name}, which owns most tables",
                source,
                "Use the role that runs `prisma migrate deploy`, or let the owner run: "
                f"{privileges.to_own(connection, owners[0], role)}",
            )
        if creates:
            return held(name, f"role {role} may create objects in the schema {schema}, which has no ledger", source)
        return refused(
            name,
            f"the role {role} may not create objects in the schema {schema}, which has no ledger",
            source,
            "Use the role that runs `prisma migrate deploy`, or let the owner run: "
            f"{privileges.to_create(connection, schema, role)}",
        )
    if found.hidden:
        return refused(
            name,
            f"{found}; row level security hides rows of the ledger from this role",
            source,
            "Use the role that runs `prisma migrate deploy`: the ledger's owner, or one with BYPASSRLS.",
        )
    grants = privileges.grants(connection, schema, found)
    if not grants:
        return held(name, str(found), source)
    lacks = [
        *(f"may not {word} on the ledger" for word in found.lacking),
        *([] if found.creates else [f"may not create objects in the schema {schema}"]),
        *(f"is not a member of {each.name}, which owns most tables" for each in found.owners[:1] if not each.ours),
    ]
    remedy = f"Use the role that runs `prisma migrate deploy`, or let the owner run: {' '.join(grants)}"
    return refused(name, f"{found}; the role {', '.join(lacks)}", source, remedy)


def checkout_checks(folder: Path, expected: Expectation) -> list[Check]:
    """The checks that the intended commit is checked out, and that its migrations folder has no uncommitted changes."""
    if from_image(folder, expected):
        return image_checks(folder, expected)
    repository = Repository.find(folder)
    if repository is None:
        seen = "the migrations folder is in no git checkout, or git is not installed"
        remedy = (
            'Install git and run in the checkout; or, if the folder comes from an image, say so: source = "image" in '
            "prisma-recovery.toml."
        )
        return [Check(name, Outcome.UNKNOWN, seen, str(folder), remedy) for name in ("git.commit", "git.clean")]
    head = repository.head()
    source = f"git in {repository.root}"
    if expected.commit == VERCEL:
        commit = held("git.commit", f"HEAD is {(head or 'unborn')[:12]}; vercel.commit compares it", source)
    elif expected.commit is None:
        commit = held("git.commit", f"HEAD is {(head or 'unborn')[:12]}; no commit was demanded", source)
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
            fetched = f" ({expected.commit} as last fetched)" if repository.remote(expected.commit) else ""
            commit = held("git.commit", f"HEAD is {wanted[:12]}, as expected{fetched}", source)
    changed = repository.changed(folder)
    if changed:
        shown = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")  # noqa: PLR2004 - what fits a line
        remedy = (
            'Commit or discard it. If the folder was taken out of an image: source = "image" in prisma-recovery.toml.'
        )
        clean = refused("git.clean", f"not committed: {shown}", source, remedy)
    else:
        clean = held("git.clean", "the migrations folder is as committed", source)
    return [commit, clean]


def command_awaited() -> Check:
    """The check `prisma.target` while the Prisma CLI starts (about a second); the evidence is gathered meanwhile."""
    return awaited(PRISMA, "not yet known; nothing is changed before it holds", _LISTENER)


def command_check(proven: bool | None, limit: float, version: str | None = None) -> Check:  # noqa: FBT001 - the fact that it is about
    """The check `prisma.target`: does the project's Prisma CLI connect to the database whose URL we give it?

    Args:
        proven: whether it connected to our listener; None if it neither connected nor ended in time.
        limit: that time, in seconds.
        version: the version of the CLI; None if it is not known.
    """
    name, source = PRISMA, _LISTENER
    if proven:
        seen = "the project's Prisma connects to the database that it is given"
        if version is not None and version.startswith(_URL_IN_ARGUMENTS):
            seen += f"; {_URL_IS_SEEN.format(version)}"
        return held(name, seen, source)
    if proven is None:
        seen = f"`prisma migrate status` neither connected to the listener nor ended within {limit:.0f} s"
        return unknown(name, seen, source, _SLOW)
    return refused(
        name,
        "the project's Prisma did not connect to the database that it was given: it may work on another one",
        source,
        "Let schema.prisma or prisma.config read its URL from DATABASE_URL or DIRECT_URL; or see what "
        "`prisma migrate status` says.",
    )
