"""A case of the fuzzer: a history, the rows of production, a script, and what happened."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Event(StrEnum):
    """What happened to the migration."""

    DIED_BEFORE = "died before its first statement"
    FAILED_WHOLE = "failed as one transaction"
    FAILED_AT = "failed at a statement, those before it committed"
    CUT = "failed after being cut at every semicolon"
    CRASHED_DONE = "crashed wholly done"
    CRASHED_AFTER = "crashed after some statements"
    COUNTED = "one step counted, unfinished"
    BY_HAND = "failed, then made by hand"
    BY_HAND_OTHERWISE = "failed, then made by hand otherwise"
    UNDONE = "crashed wholly done, then undone by hand"
    USED = "crashed wholly done, then used by the application"
    EDITED = "failed, then its file was edited"
    EDITED_BY_HAND = "failed, its file was edited, then made by hand"
    LOST = "failed, edited, and its old file is nowhere"
    RUN_AGAIN = "crashed wholly done, then run again by hand"
    OVERTAKEN = "crashed wholly done, then overtaken"
    OVERTAKEN_UNDONE = "failed as one transaction, then overtaken"
    WITHDRAWN = "one step counted, withdrawn, then failed again"
    WITHDRAWN_UNDONE = "one step counted, undone by hand, withdrawn, then failed again"
    WITHDRAWN_ONLY = "one step counted, undone by hand and withdrawn"
    TWO = "two failed migrations"
    PENDING = "pending, and nothing of it done"
    PENDING_BY_HAND = "pending, and made by hand"
    PENDING_OTHERWISE = "pending, and made by hand otherwise"


#: Events in which a person runs the migration's statements, or others instead.
BY_PERSON = frozenset(
    {
        Event.BY_HAND,
        Event.BY_HAND_OTHERWISE,
        Event.EDITED_BY_HAND,
        Event.RUN_AGAIN,
        Event.PENDING_BY_HAND,
        Event.PENDING_OTHERWISE,
    }
)
#: Events that the rules leave to a person, whatever the script: nobody has the file that ran (RULES E2), an attempt ran
#: to its end and was withdrawn (E3, E23), or a later migration came after it (E10).
FOR_A_PERSON = frozenset(
    {
        Event.LOST,
        Event.WITHDRAWN,
        Event.WITHDRAWN_UNDONE,
        Event.WITHDRAWN_ONLY,
        Event.OVERTAKEN,
        Event.OVERTAKEN_UNDONE,
    }
)
#: The kind of statements about the whole server, which no schema of a database shows.
BEYOND = "a role"
#: Events in which Prisma never began to run the migration.
NEVER_ATTEMPTED = frozenset({Event.PENDING, Event.PENDING_BY_HAND, Event.PENDING_OTHERWISE})


@dataclass(frozen=True)
class Statement:
    """A statement of a script, and what people make of it.

    Attributes:
        kind: the name of its maker, for the report.
        sql: its text, without the last semicolon.
        rows: it may write, fill or lose rows, or move a sequence, other than by dropping what holds them.
        otherwise: what a person may run instead: the same schema with other rows, or another schema.
        undo: what takes its changes of the schema back; empty if nothing does.
        tail: what follows its semicolon on the same line, such as a comment.
    """

    kind: str
    sql: str
    rows: bool = False
    otherwise: tuple[str, ...] = ()
    undo: str = ""
    tail: str = ""


@dataclass(frozen=True)
class Step:
    """A statement in a case.

    Attributes:
        hand: what a person runs for it; empty for nothing, None for the statement itself.
        undone: a person takes it back.
        former: its text before the file was edited; empty if it was not there, None if it was the same.
    """

    statement: Statement
    hand: str | None = None
    undone: bool = False
    former: str | None = None

    @property
    def by_hand(self) -> str:
        """What the person runs."""
        return self.statement.sql if self.hand is None else self.hand


@dataclass(frozen=True)
class Case:
    """A history and what happened after it.

    Attributes:
        label: seed and number, with which it can be drawn again.
        history: the statements of each finished migration.
        rows: what only production has: rows, and objects that somebody made by hand before the first attempt.
        cut: how many statements, or pieces, took effect; in an event of two migrations, where the second begins.
        done: in an event of two migrations, how many statements took effect.
        javascript: the logs are those of Prisma's JavaScript engine.
        wrapped: the script is between BEGIN and COMMIT.
        later: the statements of the migration that overtook it, or the application's writes.
    """

    label: str
    history: tuple[tuple[str, ...], ...]
    rows: tuple[str, ...]
    steps: tuple[Step, ...]
    event: Event
    cut: int = 0
    done: int = 0
    javascript: bool = False
    wrapped: bool = False
    later: tuple[str, ...] = ()

    @property
    def script(self) -> str:
        """The text of the migration as the folder has it now."""
        return _text(((step.statement.sql, step.statement.tail) for step in self.steps), self.wrapped)

    @property
    def former(self) -> str:
        """The text that the first attempt ran, before the file was edited."""
        texts = (
            (step.statement.sql if step.former is None else step.former, step.statement.tail) for step in self.steps
        )
        return _text((pair for pair in texts if pair[0]), self.wrapped) or "SELECT 1;\n"

    @property
    def kinds(self) -> str:
        """The kinds of its statements, for the report."""
        return ", ".join(dict.fromkeys(step.statement.kind for step in self.steps))

    @property
    def schema_only(self) -> bool:
        """Whether no statement touches rows, or anything beyond the database."""
        return not any(step.statement.rows or step.statement.kind == BEYOND for step in self.steps)

    @property
    def hand_on_rows(self) -> bool:
        """Whether a person's own statements touch rows after the attempt, so that `no_handwork` would be false."""
        return self.event in BY_PERSON and any(
            step.by_hand and (step.statement.rows or step.hand is not None) for step in self.steps
        )

    def two(self) -> tuple[str, str]:
        """The texts of two migrations into which the script is divided."""
        parts = self.steps[: self.cut], self.steps[self.cut :]
        first, second = (_text(((s.statement.sql, s.statement.tail) for s in part), wrapped=False) for part in parts)
        return first, second


def _text(statements: Iterable[tuple[str, str]], wrapped: bool) -> str:  # noqa: FBT001 - private
    lines = [f"{sql};{tail}\n" for sql, tail in statements]
    if wrapped:
        lines = ["BEGIN;\n", *lines, "COMMIT;\n"]
    return "".join(lines)
