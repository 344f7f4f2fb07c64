"""Whether a dangerous command may run, from what is known of where it goes. Pure."""

from dataclasses import dataclass

from recovery.errors import PreflightError
from recovery.guard.commands import Danger

_MIGRATE = (
    "Work on a development database (set DATABASE_URL, and see that no .env file names production), commit the "
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
    """What is known of one dangerous command.

    Attributes:
        shown: the command in words.
        production: where it would meet production, as "DATABASE_URL in .env leads to app on db.example.com"; empty
            if no URL that is known does.
        pinned: production, and who says so.
        unclear: why it can't be told where it goes.
        writes: of `db execute`: why its SQL may write to the ledger; empty if it surely doesn't.
    """

    danger: Danger
    shown: str
    production: str
    pinned: str
    unclear: tuple[str, ...] = ()
    writes: str = ""


def decide(facts: Facts) -> PreflightError | None:
    """The refusal; None if the command may run."""
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
        f"`{facts.shown}`{why} must never meet production ({facts.pinned}), and where it goes can't be told: "
        f"{'; '.join(facts.unclear)}. It was not run.",
        f"Say where it goes so that it can be read, with --url or a plain variable. {remedy}",
    )


def unreadable(reasons: tuple[str, ...], pinned: str) -> PreflightError:
    """The refusal of a command line that may hold a dangerous command, and can't be read."""
    return PreflightError(
        "guard.unclear",
        f"Whether this runs a command that must never meet production ({pinned}) can't be told: {'; '.join(reasons)}. "
        "It was not run.",
        "Give guard the Prisma command itself, without a shell around it.",
    )


def not_pinned(shown: str) -> PreflightError:
    """The refusal, with `--strict`, where nobody said which database is production."""
    return PreflightError(
        "guard.not_pinned",
        f"`{shown}` must never meet production, and which database that is nobody said. It was not run.",
        "Set host and database under [production] in prisma-recovery.toml.",
    )
