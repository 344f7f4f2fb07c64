"""Plans of repair, as `inspect` shows them: what would bring production to the script's end, or to its beginning."""

from dataclasses import dataclass
from enum import StrEnum

from states.facts import Obstacle


class Way(StrEnum):
    """How a plan of repair brings production to a state that Prisma knows."""

    #: The statements of the script that are missing, as they stand.
    COMPLETE = "complete"
    #: What production lacks of the script's end, made; and what differs from it, altered.
    MEND = "mend"
    #: What the script's first statements made, taken back.
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows that a statement of a plan takes away for good.

    Attributes:
        name: the table, or the column, as `public.x` or `public.x.y`; by it a person agrees to the loss.
        rows: how many rows the table has, or how many have a value in the column; None if they could not be counted.
    """

    name: str
    rows: int | None


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """One statement of a plan, with what its rehearsal showed of it.

    Attributes:
        sql: its text, without a semicolon.
        number: its number in the migration's script; None if it is not of the script.
        changes: the properties that it changes, each as a clause; empty for a setting of the session.
        lock: the strongest lock that it takes on a table that is there before it; empty if it takes none.
        table: that table, as `public.x`.
        bytes: the table's size in production with its indexes; None if it is not known.
        rewrites: the table is written anew, which takes as long as it is large.
        loses: the rows that it takes away.
        takes: what only production has on what it drops for good, as a GRANT or a comment: it goes, too.
    """

    sql: str
    number: int | None = None
    changes: tuple[str, ...] = ()
    lock: str = ""
    table: str = ""
    bytes: int | None = None
    rewrites: bool = False
    loses: tuple[Loss, ...] = ()
    takes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of repair that was rehearsed: on a copy of the schema that production has, it ends where it should.

    Attributes:
        way: where it leads, and by what means.
        ends: the step of the script that production equals afterwards: 0, or the number of its statements.
        statements: in their order.
        together: they run as one transaction, which is committed only if production is then as rehearsed; else each is
            committed by itself.
        rows: some statement does work on rows.
        obstacles: what production holds that would make a statement fail; while there is any, the plan is not run.
        proof: what the rehearsal showed, as a sentence.
        digest: the name of exactly this plan on exactly this evidence; an approval of it names this digest.
    """

    way: Way
    ends: int
    statements: tuple[PlannedStatement, ...]
    together: bool
    rows: bool
    obstacles: tuple[Obstacle, ...]
    proof: str
    digest: str

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What is lost by it; what has no rows is not lost."""
        return tuple(loss for statement in self.statements for loss in statement.loses if loss.rows != 0)


@dataclass(frozen=True, slots=True)
class Repairs:
    """The plans of repair for one migration, the one to choose first, and why there is no other.

    Attributes:
        plans: each was rehearsed.
        unplanned: why there is no plan, or none of one way, as sentences.
    """

    plans: tuple[Plan, ...] = ()
    unplanned: tuple[str, ...] = ()
