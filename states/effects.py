"""The four effects that a recovery can have on production, as data: three Prisma commands, and a plan of repair.

There is no fifth: the code that carries out effects accepts the type `Effect` only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from states.facts import Row
from states.plans import Way

#: Signals that nobody but another process, or the system, sends to a command; a shell adds 128 to their numbers.
_KILLING = {9: "SIGKILL", 15: "SIGTERM"}


@dataclass(frozen=True, slots=True)
class MarkApplied:
    """`prisma migrate resolve --applied NAME`."""

    migration: str

    @property
    def id(self) -> str:
        """A name that stays the same on every run."""
        return f"mark_applied:{self.migration}"


@dataclass(frozen=True, slots=True)
class MarkRolledBack:
    """`prisma migrate resolve --rolled-back NAME`."""

    migration: str

    @property
    def id(self) -> str:
        """A name that stays the same on every run."""
        return f"mark_rolled_back:{self.migration}"


@dataclass(frozen=True, slots=True)
class Deploy:
    """`prisma migrate deploy`, for exactly these pending migrations, in this order."""

    migrations: tuple[str, ...]

    @property
    def id(self) -> str:
        """A name that stays the same on every run."""
        return "deploy:" + ",".join(self.migrations)


@dataclass(frozen=True, slots=True)
class Repair:
    """The statements of a plan of repair, which was rehearsed for exactly this evidence.

    Attributes:
        plan: digest of the plan.
    """

    migration: str
    way: Way
    plan: str

    @property
    def id(self) -> str:
        """A name that stays the same on every run."""
        return f"{self.way}:{self.migration}"


@dataclass(frozen=True, slots=True)
class EndOrphan:
    """Ending the session that holds Prisma's lock and whose client is gone. It changes no schema, no row, no ledger.

    Attributes:
        pid: number of the session.
    """

    pid: int

    @property
    def id(self) -> str:
        """A name for it."""
        return f"end_orphan:{self.pid}"


Resolution = MarkApplied | MarkRolledBack
#: What one command of Prisma does.
PrismaEffect = Resolution | Deploy
Effect = PrismaEffect | Repair


def shown(effect: PrismaEffect, rows: Sequence[Row]) -> bool:
    """Whether the ledger shows the effect: each of its migrations has a finished row and no unfinished one.

    For a migration to be marked rolled back, rolled-back rows are enough.
    """
    names = effect.migrations if isinstance(effect, Deploy) else (effect.migration,)
    for name in names:
        mine = [row for row in rows if row.migration == name]
        if not mine or any(row.failed for row in mine):
            return False
        if not isinstance(effect, MarkRolledBack) and not any(row.finished for row in mine):
            return False
    return True


def killed(exit_code: int | None) -> str:
    """What is true of a command that was ended from outside, as a sentence; empty if it ended by itself.

    Args:
        exit_code: its exit code, negative for a signal; None if it did not run.
    """
    number = 0 if exit_code is None else -exit_code if exit_code < 0 else exit_code - 128
    name = _KILLING.get(number)
    if name is None:
        return ""
    memory = ", or by the system, which does this where memory runs out" if name == "SIGKILL" else ""
    return f"Prisma's command did not end by itself: it was killed from outside ({name}), by somebody{memory}."


def of_id(identifier: str, planned: tuple[str, ...]) -> Effect:
    """The effect with this id.

    Args:
        identifier: the `id` of an effect.
        planned: the migrations of a deploy, whose id alone is ambiguous when a name contains a comma.
    """
    kind, _, name = identifier.partition(":")
    if kind in list(Way):
        return Repair(name, Way(kind), "")
    match kind:
        case "mark_applied":
            return MarkApplied(name)
        case "mark_rolled_back":
            return MarkRolledBack(name)
        case _:
            return Deploy(planned)
