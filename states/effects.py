"""What a recovery can do to production, as data: three effects, each one Prisma command.

There is no fourth: whatever carries effects out accepts this type only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from states.facts import Row


@dataclass(frozen=True, slots=True)
class MarkApplied:
    """`prisma migrate resolve --applied NAME`."""

    migration: str

    @property
    def id(self) -> str:
        """Stable name, the same on every run."""
        return f"mark_applied:{self.migration}"


@dataclass(frozen=True, slots=True)
class MarkRolledBack:
    """`prisma migrate resolve --rolled-back NAME`."""

    migration: str

    @property
    def id(self) -> str:
        """Stable name, the same on every run."""
        return f"mark_rolled_back:{self.migration}"


@dataclass(frozen=True, slots=True)
class Deploy:
    """`prisma migrate deploy`, for exactly these pending migrations, in this order."""

    migrations: tuple[str, ...]

    @property
    def id(self) -> str:
        """Stable name, the same on every run."""
        return "deploy:" + ",".join(self.migrations)


Resolution = MarkApplied | MarkRolledBack
Effect = Resolution | Deploy


def shown(effect: Effect, rows: Sequence[Row]) -> bool:
    """The ledger shows the effect: of each of its migrations no unfinished row, and a finished one.

    Where it was to be rolled back, rolled-back rows are enough.
    """
    names = effect.migrations if isinstance(effect, Deploy) else (effect.migration,)
    for name in names:
        mine = [row for row in rows if row.migration == name]
        if not mine or any(row.failed for row in mine):
            return False
        if not isinstance(effect, MarkRolledBack) and not any(row.finished for row in mine):
            return False
    return True


def of_id(identifier: str, planned: tuple[str, ...]) -> Effect:
    """The effect of that id; `planned`, if it is a deploy, since an id can't tell a comma of a name from its own."""
    kind, _, name = identifier.partition(":")
    match kind:
        case "mark_applied":
            return MarkApplied(name)
        case "mark_rolled_back":
            return MarkRolledBack(name)
        case _:
            return Deploy(planned)
