"""Plans repairs: makes what the evidence allows, rehearses it, and asks production what it would meet there."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import psycopg

from recovery.evidence.investigator import Classified
from recovery.evidence.obstacles.finding import find
from recovery.postgres import catalog, traces
from recovery.postgres.target import Target
from recovery.repair import taken
from recovery.repair.alterations import Draft, about, towards
from recovery.repair.kept_rows import keeps_rows
from recovery.repair.locking import sizes
from recovery.repair.own_statements import OwnStatements
from recovery.repair.rehearsal import (
    NoPlanError,
    Rehearsed,
    bodies_of,
    drift,
    fails_here,
    rehearse,
    rename,
    run_apart,
    run_first,
    schema_of,
    stands_as,
    stands_at,
)
from recovery.repair.renames import Rename, Sides, renamed
from recovery.repair.same_rows import leaves_the_same
from recovery.replay.copies import Copy
from recovery.replay.history import HistoryReplay
from recovery.replay.room import ScratchError
from recovery.replay.walk import columns_of
from recovery.replay.workshop import Workshop
from recovery.sql.statements import Parsed, parse
from states import repair
from states.comparison import (
    Difference,
    column_of,
    differences,
    is_next_value,
    name_of,
    statement_states,
)
from states.facts import Key, Replay, Snapshot
from states.plans import Loss, Plan, PlannedStatement, Repairs, Way
from states.presence import in_view
from states.repair import Goal

#: The longest that counting rows that would be lost may take, for one table.
_COUNT_MILLISECONDS = 20_000


def planned(classified: Classified, workshop: Workshop, target: Target) -> Classified:
    """The evidence with the plans of repair that it allows, or with the reasons why there is none."""
    found, unplanned = repair.goals(classified.subject, classified.evidence)
    plans: list[Plan] = []
    reasons = [*unplanned]
    for goal in found:
        try:
            plans.append(_Planner(classified, workshop, target).plan(goal))
        except NoPlanError as error:
            reasons.append(f"No plan to {goal.way} it: {error}.")
    if not (plans or reasons):
        return classified
    evidence = replace(classified.evidence, repair=Repairs(tuple(plans), tuple(reasons)))
    return replace(classified, evidence=evidence)


class _Planner:
    def __init__(self, classified: Classified, workshop: Workshop, target: Target) -> None:
        replay = repair.replay_of(classified.subject)
        if replay is None:
            raise AssertionError("a goal rests on a replay")
        self._classified = classified
        self._workshop = workshop
        self._target = target
        self._replay: Replay = replay
        script = next(each for each in classified.scripts if each.checksum == replay.checksum)
        self._parsed: tuple[Parsed, ...] = parse(script.text)
        self._own = OwnStatements(self._parsed, replay, classified.evidence)

    def plan(self, goal: Goal) -> Plan:
        """The plan, rehearsed.

        Raises:
            NoPlanError: there is none.
        """
        try:
            rehearsed, drafts = self._workshop.submit(lambda: self._rehearsed(goal)).result()
        except ScratchError as error:  # the evidence stands without a plan
            raise NoPlanError(why=f"it could not be rehearsed: {error.fact}") from error
        losses = {draft.sql: tuple(self._loss(key) for key in draft.loses) for draft in drafts}
        alone = tuple(self._taken_along(rehearsed))
        statements = tuple(
            replace(self._told(each, losses.get(each.sql, ())), takes=told)
            for each, told in zip(rehearsed.statements, alone, strict=True)
        )
        rest = ";\n".join(draft.sql for draft in drafts)
        shift = [draft.number or place for place, draft in enumerate(drafts, start=1)]
        asked = find(self._target.reading(), self._target.url.schema, (rest,))
        obstacles = tuple(replace(each, statement=shift[each.statement - 1]) for each in asked.obstacles)
        where = "the script's end" if goal.ends else "the state before the script"
        how = "as one transaction" if rehearsed.together else "each statement committed by itself"
        proof = (
            f"run on a copy of the schema that production has, {how}, its {repair.lists(statements)} "
            f"{'ends' if len(statements) == 1 else 'end'} at {where}"
        )
        name = repair.digest(
            self._classified.evidence.evidence_digest, goal.way, statements, together=rehearsed.together
        )
        return Plan(goal.way, goal.ends, statements, rehearsed.together, goal.rows, obstacles, proof, name)

    def _rehearsed(self, goal: Goal) -> tuple[Rehearsed, Sequence[Draft]]:
        history = self._workshop.history(list(self._classified.history))
        if goal.way is Way.MEND:
            return self._mended(history, goal)
        first, replay = [each for each in self._parsed if each.index in goal.done], self._replay
        before = history.snapshot()
        self._not_elsewhere(goal, {**before, **replay.steps[-1]})
        with history.copied() as copy:
            run_first(copy, first)
            stands_at(copy, replay, goal.start)
            if goal.way is Way.COMPLETE:
                drafts: tuple[Draft, ...] = tuple(self._own.missing(goal))
            else:
                drafts = towards(schema_of(copy), before)
            if not drafts:
                raise NoPlanError(why="nothing is to be done that could be told from the schema")
            # What the script's own statements take along is the script's.
            kept = self._kept(before) if goal.way is Way.UNDO else {}
            for number in goal.doubtful:
                fails_here(copy, self._parsed[number - 1])
            seen = rehearse(copy, drafts, lambda after: differences(replay, goal.ends, after), kept)
            if goal.way is not Way.COMPLETE and seen.together:
                keeps_rows(copy, self._parsed, drafts)
        if goal.turned:
            self._leaves_the_same(history, first, lambda _: None, drafts)
        return seen, drafts

    def _leaves_the_same(
        self, history: HistoryReplay, first: Sequence[Parsed], between: Callable[[Copy], None], drafts: Sequence[Draft]
    ) -> None:
        with history.copied() as ideal, history.copied() as again, history.copied() as late:
            leaves_the_same(ideal, again, late, self._parsed, first, between, drafts)

    def _mended(self, history: HistoryReplay, goal: Goal) -> tuple[Rehearsed, Sequence[Draft]]:
        """A plan for what has drifted: on the script's end, to which the differences of production were brought."""
        replay, production = self._replay, in_view(self._classified.subject)
        found = differences(replay, goal.ends, production)
        before = history.snapshot()
        with history.copied() as copy, history.copied() as trial:
            for each in (copy, trial):
                run_first(each, self._parsed)
            stands_at(copy, replay, goal.ends)
            wanted = schema_of(copy)
            renames = self._renames(found, copy, before, wanted)
            for each in (copy, trial):
                rename(each, renames)
            besides, now = self._besides(wanted, production), schema_of(copy)
            objects = {each.object for each in found}
            theirs = bodies_of(self._target.reading(), objects)
            with copy.connected() as connection:
                ours = bodies_of(connection, objects)
            for each in (copy, trial):
                drift(each, about(now, (*found, *besides)), about(production, (*found, *besides)), now, theirs)
                stands_as(each, replay, production, found)
            made_of, drifted = now, (found, besides, production)
            back = tuple(Draft(text) for each in reversed(renames) for text in each.back)
            numbers = goal.numbers
            if back:
                run_apart(trial, back)
                production = schema_of(trial)
                found = differences(replay, goal.ends, production)
                besides = self._besides(wanted, production)
                left = {s.index for s in statement_states(replay, production, (), {}) if s.state == "absent"}
                numbers = tuple(number for number in numbers if number in left | self._not_done)
            self._not_renamed(found, besides, wanted, production)
            again = self._own.rebuilt(found)
            steps, own = replay.steps, numbers
            gone = {key for number in own for key in steps[number - 1].keys() - steps[number].keys()}
            # What the script's own statements drop they drop themselves.
            changed = [e for e in found if e.object not in again and (e.object, e.property) not in gone]
            first = (
                *(Draft(f"DROP INDEX CONCURRENTLY {obj.removeprefix('index ')}") for obj in again),
                *towards(about(production, changed), about(wanted, changed), self._holds, wanted, finish=False),
                *self._own.these((*numbers, *again.values(), *self._own.replacing())),
            )
            run_apart(trial, first)
            there = schema_of(trial)
            remains = differences(replay, goal.ends, there)
            last = towards(about(there, remains), about(wanted, remains), self._holds, there, bodies=ours)
            drafts = (*back, *first, *last)
            kept = self._kept(wanted)
            seen = rehearse(copy, drafts, lambda after: differences(replay, goal.ends, after), kept)
            if seen.together:
                keeps_rows(copy, self._parsed, drafts)
        if goal.turned:
            first_ones = [each for each in self._parsed if each.index not in self._not_done]
            sides = [about(each, (*drifted[0], *drifted[1])) for each in (made_of, drifted[2])]

            def between(late: Copy) -> None:
                rename(late, renames)
                drift(late, sides[0], sides[1], made_of, theirs, keeping=True)

            self._leaves_the_same(history, first_ones, between, drafts)
        return seen, drafts

    def _kept(self, wanted: Snapshot) -> dict[Key, str]:
        """What a plan must leave: all that production has as it is at the plan's end, as far as that is known.

        The comparison with a step passes over comments and privileges, and over what the script does not name.
        """
        production = in_view(self._classified.subject)
        read = {obj for obj, _ in production}
        return {
            (obj, prop): value
            for (obj, prop), value in wanted.items()
            if not is_next_value((obj, prop)) and (obj not in read or production.get((obj, prop)) == value)
        }

    @property
    def _not_done(self) -> set[int]:
        """The statements of which a person says that their work on rows is not done."""
        return {each.index for each in self._classified.evidence.statements if each.said is False}

    def _renames(
        self, found: Sequence[Difference], copy: Copy, before: Snapshot, wanted: Snapshot
    ) -> tuple[Rename, ...]:
        """What production has under another name.

        Raises:
            NoPlanError: production can't be read.
        """
        if not any(each.actual is None for each in found):
            return ()
        connection = self._target.reading()
        tables = {each.object for each in found if each.object.startswith("table ")}
        try:
            whole = catalog.read(connection)
            standing, empty = traces.places(connection, tables), traces.empty(connection, tables)
        except psycopg.errors.LockNotAvailable as error:
            raise NoPlanError(why="another session holds a lock that keeps the schema from being read") from error
        with copy.connected() as session:
            places = traces.places(session, tables)
        moved = {key for statement in self._replay.statements for key in statement.moves}
        certain = {
            (obj, prop)
            for obj, prop in wanted
            if obj in tables and (obj in empty or (obj, prop) in before or (obj, prop) in moved)
        }
        return renamed(found, Sides(wanted, whole, places, standing, certain))

    def _holds(self, column: Key) -> bool:
        """Whether a column of production has values, or may have."""
        return self._loss(column).rows != 0

    def _besides(self, wanted: Snapshot, production: Snapshot) -> tuple[Difference, ...]:
        """Columns that production has besides, in tables of the footprint: differences may be about them."""
        tables = {obj for obj, _ in wanted if obj.startswith("table ")}
        return tuple(
            Difference(obj, prop, None, value)
            for (obj, prop), value in sorted(production.items())
            if obj in tables and column_of(prop) == prop and (obj, prop) not in wanted
        )

    def _not_renamed(
        self, found: Sequence[Difference], besides: Sequence[Difference], wanted: Snapshot, production: Snapshot
    ) -> None:
        """Makes sure that what is missing is not there under another name, with its rows.

        Raises:
            NoPlanError: it may be.
        """
        for each in found:
            if column_of(each.property) != each.property or each.actual is not None:
                continue
            kind = wanted.get((each.object, f"{each.property} type"))
            same = (one for one in besides if one.object == each.object)
            other = next((one for one in same if production.get((one.object, f"{one.property} type")) == kind), None)
            if other is not None:
                what = f"{each.property} of {each.object} may have been renamed to {other.property}, with its values"
                raise NoPlanError(why=what)
        missing = {each.object for each in found if each.property == "exists" and each.actual is None}
        self._made_anew({obj for obj in missing if obj.startswith("table ")}, wanted)

    def _not_elsewhere(self, goal: Goal, wanted: Snapshot) -> None:
        """Makes sure that what the script makes, and production lacks, is not there under another name, with its rows.

        Whoever gave it that name keeps what was written to it; made again, it would lack that. Of a table without rows
        nothing is kept.

        Raises:
            NoPlanError: it may be.
        """
        replay, production = self._replay, in_view(self._classified.subject)
        besides = self._besides(wanted, production)
        empty = traces.empty(self._target.reading(), {each.object for each in besides}) if besides else set()
        besides = tuple(each for each in besides if each.object not in empty)
        there = replay.steps[goal.start]
        missing = (key for key in replay.steps[-1] if key not in production and key not in there)
        found = [Difference(*key, wanted[key], None) for key in sorted(missing)]
        self._not_renamed(found, besides, wanted, production)

    def _made_anew(self, tables: Collection[str], wanted: Snapshot) -> None:
        """Makes sure that production has no unknown table with the same columns as one that would be made.

        Raises:
            NoPlanError: it has one, which may be the table under another name, with its rows.
        """
        columns = {obj: those for obj, those in columns_of(wanted).items() if obj in tables and those}
        if not columns:
            return
        for obj, others in traces.alike(self._target.reading(), columns).items():
            for other in others:
                if (other, "exists") not in wanted:
                    raise NoPlanError(why=f"{obj} may have been renamed to {other}, with its rows")

    def _told(self, statement: PlannedStatement, loses: tuple[Loss, ...]) -> PlannedStatement:
        """The statement with the size of the table that it locks, and with what it loses."""
        size = sizes(self._target.reading(), [statement.table] if statement.table else []).get(statement.table)
        return replace(statement, bytes=size, loses=loses)

    def _taken_along(self, rehearsed: Rehearsed) -> Iterator[tuple[str, ...]]:
        """For each statement, what only production has on what it drops for good.

        Raises:
            NoPlanError: what is dropped is made again, and would then lack it.
        """
        every = frozenset[Key]().union(*rehearsed.dropped)
        found = taken.with_them(self._target.reading(), every, rehearsed.before)
        for key, those in sorted(found.items()):
            if key in rehearsed.after:
                raise NoPlanError(
                    why=f"it would make {_named(key)} again without what only production has: "
                    f"{', '.join(taken.told(those))}"
                )
        for keys in rehearsed.dropped:
            yield tuple(told for key in sorted(keys & found.keys()) for told in taken.told(found[key]))

    def _loss(self, key: Key) -> Loss:
        """What would be lost with a table or a column, counted in production."""
        obj, prop = key
        table = name_of(obj)
        column = "" if prop == "exists" else prop.removeprefix("column ")
        name = f"{table}.{column}" if column else table
        connection = self._target.reading()
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL statement_timeout = {_COUNT_MILLISECONDS}; SET LOCAL row_security = off")
                row = connection.execute(repair.counting(name).encode()).fetchone()
        except psycopg.Error:
            return Loss(name, None)
        return Loss(name, row[0] if row else None)


def _named(key: Key) -> str:
    obj, prop = key
    return obj if prop == "exists" else f"{prop} of {obj}"
