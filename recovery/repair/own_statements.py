"""The script's own statements, as a plan runs them: those that are missing, and those that make something anew."""

import re
from collections.abc import Iterator, Sequence

from recovery.repair.alterations import Draft
from recovery.repair.rehearsal import NoPlanError
from recovery.sql.statements import Parsed
from states.comparison import Difference
from states.evidence import Evidence
from states.facts import Key, Replay
from states.repair import Goal

#: Statements that set something for the rest of the session.
_SETTINGS = ("variable_set_stmt", "select_stmt")
#: Statements that may drop what depends on something (CASCADE).
_DROPPING = ("drop_stmt", "alter_table_stmt")
#: Statements that give something another name.
_RENAMING = "rename_stmt"
#: Statements that replace what is there, if they are conditional (OR REPLACE).
_REPLACING = ("view_stmt", "create_function_stmt", "create_trig_stmt")
#: Statements that say what is to be, whatever was before.
_STATING = ("comment_stmt", "grant_stmt")
#: Transaction control that groups statements, and does nothing else.
_GROUPING = re.compile(r"(begin|start\s+transaction|commit|end)(\s+(work|transaction))?\Z", re.IGNORECASE)


class OwnStatements:
    """The statements of one script, with its replay and the evidence on it."""

    def __init__(self, parsed: Sequence[Parsed], replay: Replay, evidence: Evidence) -> None:
        """Keeps its arguments."""
        self._parsed = parsed
        self._replay = replay
        self._evidence = evidence

    def replacing(self) -> Iterator[int]:
        """Statements that differ in production, and that replace what is there by what they say."""
        states = {each.index: each.state for each in self._evidence.statements}
        for statement in self._parsed:
            again = statement.node in _STATING or (statement.node in _REPLACING and statement.conditional)
            if again and states.get(statement.index) == "differs":
                yield statement.index

    def rebuilt(self, found: Sequence[Difference]) -> dict[str, int]:
        """Indexes that a CONCURRENTLY of the script has left invalid, each with the number of its statement."""
        invalid = {each.object for each in found if each.property == "valid" and each.actual == "no"}
        steps = self._replay.steps
        return {
            obj: statement.index
            for statement in self._parsed
            if "concurrently" in statement.sql.lower()
            for obj in sorted(invalid)
            if (obj, "exists") in steps[statement.index] and (obj, "exists") not in steps[statement.index - 1]
        }

    def these(self, numbers: Sequence[int]) -> Iterator[Draft]:
        """The script's own statements of these numbers, in its order, after all that it sets for the session."""
        for statement in self._parsed:
            wanted = statement.index in numbers
            if wanted:
                _plannable(statement)
            if statement.control and not _GROUPING.match(statement.sql.strip()):
                raise NoPlanError(why=f"statement {statement.index} controls transactions")
            if (wanted and not statement.control) or (statement.inert and statement.node in _SETTINGS):
                yield Draft(statement.sql, statement.index, tuple(self._drops(statement)) if wanted else ())

    def missing(self, goal: Goal) -> Iterator[Draft]:
        """The script's statements that are missing, after what the earlier ones set for the session."""
        for statement in self._parsed:
            if statement.index not in goal.numbers:
                if statement.inert and statement.node in _SETTINGS:
                    yield Draft(statement.sql, statement.index)
                continue
            _plannable(statement)
            if statement.control:
                if not _GROUPING.match(statement.sql.strip()):
                    raise NoPlanError(why=f"statement {statement.index} controls transactions")
                continue
            yield Draft(statement.sql, statement.index, tuple(self._lost(goal, statement)))

    def _lost(self, goal: Goal, statement: Parsed) -> Iterator[Key]:
        """What a statement drops that was there before the plan; a name that may mean another table counts, too."""
        steps, rest = self._replay.steps, self._replay.statements[goal.start :]
        renamed = any(each.moves for each in rest)
        for key in self._drops(statement):
            made = key not in steps[goal.start] and any(key in step for step in steps[goal.start :])
            if renamed or not made:
                yield key

    def _drops(self, statement: Parsed) -> Iterator[Key]:
        """What a statement drops, by the names that it has then; what gets another name keeps its rows."""
        if statement.node == _RENAMING:
            return
        before, after = self._replay.steps[statement.index - 1 : statement.index + 1]
        gone = before.keys() - after.keys()
        for obj, prop in self._replay.statements[statement.index - 1].drops:
            then = sorted(key[0] for key in gone if key[1] == prop and (key[0], "exists") in after)
            yield (then[0] if len(then) == 1 else obj), prop


def _plannable(statement: Parsed) -> None:
    """Makes sure that a copy can show what a statement does.

    Raises:
        NoPlanError: it reaches beyond the database, or drops what depends on something, of which production may have
            more.
    """
    if statement.forbidden:
        raise NoPlanError(why=f"statement {statement.index} {statement.forbidden}, so it can't be rehearsed")
    if statement.opaque and statement.node in _DROPPING:
        raise NoPlanError(
            why=f"statement {statement.index} drops with CASCADE, and only production knows what goes too"
        )
