"""Whether a dangerous command may run, given the databases it could reach. Pure."""

from dataclasses import dataclass

from recovery.errors import PreflightError
from recovery.guard.commands import Danger

_MIGRATE = (
    "Work on a development database (set DATABASE_URL, and make sure that no .env file names production), commit the "
    "migration, and deploy it with `prisma migrate deploy`."
)
_REMEDIES = {
    Danger.MIGRATE_DEV: _MIGRATE,
    Danger.MIGRATE_RESET: "Reset development databases only. If a migration failed on production, run "
    "`prisma-recovery run`; to go back, restore a backup.",
    Danger.DB_PUSH: "Make a migration of the change with `prisma migrate dev` on a development database, commit it, "
    "and deploy it with `prisma migrate deploy`.",
    Danger.DB_EXECUTE: "To settle a failed migration, run `prisma-recovery run`, or `prisma migrate resolve` by hand; "
    "no row of the ledger is ever written directly. Put other changes into a migration.",
    Danger.DATA_LOSS: "Leave the option out on production: change the schema by a migration that keeps the data.",
    Danger.OPEN: "Write the command out, so that it can be read.",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts about one dangerous command.

    Attributes:
        danger: why the command must never meet production.
        shown: the command for people.
        production: how the command would reach production, as "DATABASE_URL in .env leads to app on db.example.com";
            empty if no known URL leads there.
        pinned: the production databases, each with the file that names it.
        unclear: reasons why it may reach other databases than the known ones.
        writes: for `db execute`: why its SQL may write to the ledger; empty if it certainly doesn't.
    """

    danger: Danger
    shown: str
    production: str
    pinned: str
    unclear: tuple[str, ...] = ()
    writes: str = ""


def decide(facts: Facts) -> PreflightError | None:
    """The refusal of the command; None if it may run."""
    if not facts.production and not facts.unclear:
        return None
    if facts.danger is Danger.DB_EXECUTE and not facts.writes:
        return None
    why = f" ({facts.writes})" if facts.danger is Danger.DB_EXECUTE else ""
    remedy = _REMEDIES[facts.danger]
    if facts.production:
        return PreflightError(
            "guard.production",
            f"`{facts.shown}`{why} must never meet production, and {facts.production}, which is production "
            f"({facts.pinned}). It was not run.",
            remedy,
        )
    return PreflightError(
        "guard.unclear",
        f"`{facts.shown}`{why} must never meet production ({facts.pinned}), and it is unclear which database it would "
        f"reach: {'; '.join(facts.unclear)}. It was not run.",
        f"Give the URL in a way that guard can read, with --url or a plain variable. {remedy}",
    )


def unreadable(reasons: tuple[str, ...], pinned: str) -> PreflightError:
    """The refusal of a command line that can't be read completely, and so may hold a dangerous command."""
    return PreflightError(
        "guard.unclear",
        f"It is unclear whether this runs a command that must never meet production ({pinned}): {'; '.join(reasons)}. "
        "It was not run.",
        "Give guard the Prisma command itself, without a shell around it.",
    )


def not_pinned(shown: str) -> PreflightError:
    """The refusal, with `--strict`, if no database is known to be production."""
    return PreflightError(
        "guard.not_pinned",
        f"`{shown}` must never meet production, but no production database is set. It was not run.",
        "Set host and database under [production] in prisma-recovery.toml.",
    )
