"""Repair: which plan the evidence allows, which may be carried out, and what never is (RULES E17, E21, F14).

Only what can be proven before and afterwards is planned: every statement that is to be run is known not to have run,
and once it ran the evidence shows that it did. A plan exists only once its rehearsal ended where it should.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from states.comparison import StatementState, column_of, makes_what_it_fills, shows_its_end, unquoted
from states.digest import named
from states.evidence import Evidence, Verdict
from states.facts import Replay, Snapshot, Statement, Subject, Visibility
from states.plans import Loss, Plan, PlannedStatement, Way
from states.presence import in_view
from states.row_proofs import filled_otherwise, witnessed

#: A block, which may have found what it makes, and gone on.
_BLOCK = re.compile(r"\s*DO\b", re.IGNORECASE)
#: Statements whose work is seen in the schema, or that have none.
_PLAIN = (Visibility.SEEN, Visibility.INERT)


@dataclass(frozen=True, slots=True)
class Goal:
    """A plan that the evidence allows, to be made and rehearsed.

    Attributes:
        way: where it is to lead.
        start: the step that production equals; of what has drifted, the one that it is to equal.
        ends: the step that production is to equal afterwards.
        numbers: of the script's statements, those to be run.
        rows: one of these does work on rows.
        done: of the script's statements, those that ran.
        doubtful: of those to be run, the ones that work on rows of what production must not have yet; that they can't
            have run is shown by that they fail on production's schema.
        turned: they do not run in the script's order, so it has to be shown that this leaves the same rows.
    """

    way: Way
    start: int
    ends: int
    numbers: tuple[int, ...] = ()
    rows: bool = False
    done: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()
    turned: bool = False


def replay_of(subject: Subject) -> Replay | None:
    """The replay of the script that every attempt ran and that the folder holds still; None if there is none."""
    ran = {row.checksum for row in subject.attempts}
    return next((r for r in subject.replays if ran == {r.checksum} and r.checksum == subject.present), None)


def goals(subject: Subject, evidence: Evidence) -> tuple[tuple[Goal, ...], tuple[str, ...]]:
    """The plans that the evidence allows, the first choice first; and why it allows no other, as sentences."""
    if evidence.verdict not in (Verdict.PARTIAL, Verdict.DRIFTED) or not evidence.attempted:
        return (), ()
    if why := _unrepairable(subject, evidence):
        return (), (why,)
    replay = replay_of(subject)
    if replay is None:
        raise AssertionError("what has no replay is not repaired")
    otherwise = filled_otherwise(replay, subject)
    if evidence.verdict is Verdict.DRIFTED:
        if otherwise:
            return (), (f"No plan to {Way.MEND} it: {otherwise}.",)
        production = in_view(subject)
        if why := next(_against_mending(replay, evidence, _proven(replay, subject), production), ""):
            return (), (f"No plan to {Way.MEND} it: {why}.",)
        missing = tuple(
            each.index
            for each in evidence.statements
            if each.state == "absent" and (each.said is False or not shows_its_end(replay, each.index, production))
        )
        rows = any(each.visibility not in _PLAIN for each in replay.statements)
        run = tuple(each.index for each in replay.statements if each.index not in missing)
        turned = any(each.answers for each in evidence.statements)
        return (Goal(Way.MEND, replay.total, replay.total, missing, rows, run, turned=turned),), ()
    start = evidence.progress.steps_in_place[0]
    found: list[Goal] = []
    reasons: list[str] = []
    done = tuple(each.index for each in evidence.statements if _ran(each, start))
    for way, against in ((Way.COMPLETE, _against_completing), (Way.UNDO, _against_undoing)):
        why = next(against(replay, evidence, start), "") or (otherwise if way is Way.COMPLETE else "")
        if why:
            reasons.append(f"No plan to {way} it: {why}.")
        elif way is Way.COMPLETE:
            rest = tuple(each for each in replay.statements if each.index not in done)
            rows = any(statement.visibility not in _PLAIN for statement in rest)
            numbers = tuple(each.index for each in rest)
            doubtful = tuple(each.index for each in rest if _doubtful(replay, each, evidence))
            turned = numbers != tuple(range(start + 1, replay.total + 1))
            late = [s.index for s in rest if s.visibility not in _PLAIN]
            past = [s.index for s in replay.statements if s.index in done and s.visibility not in _PLAIN]
            if late and past and late[0] < past[-1]:
                reasons.append(
                    f"No plan to {way} it: statement {late[0]} would work on rows after statement {past[-1]} did, and "
                    "in the script it does so before."
                )
                continue
            found.append(Goal(way, start, replay.total, numbers, rows, done, doubtful, turned))
        else:
            found.append(Goal(way, start, 0, done=done))
    return tuple(found), tuple(reasons)


def _ran(state: StatementState, start: int) -> bool:
    """Whether a statement of what is half done ran: a person's answer, else the step that production equals, tells."""
    return state.index <= start if state.said is None else state.said


def _answer(evidence: Evidence, index: int) -> bool | None:
    """A person's answer on a statement's work on rows; None if there is none, or the evidence itself shows it."""
    return next((each.said for each in evidence.statements if each.index == index), None)


def _doubtful(replay: Replay, statement: Statement, evidence: Evidence) -> bool:
    """Whether it works on rows of what other statements of the script make, and no person said that it did not run."""
    rows = statement.visibility is Visibility.ROWS and not _shown_later(statement)
    answered = _answer(evidence, statement.index) is not None
    return rows and not answered and not makes_what_it_fills(replay, statement.index)


def answers_after(way: Way, subject: Subject) -> dict[int, bool]:
    """Which work on rows is done once a plan was carried out: all of the script's, or none.

    What is undone had no work on rows but on what went with it.
    """
    replay = replay_of(subject)
    if way is Way.UNDO or replay is None:
        return dict.fromkeys(subject.answered, False)
    return {each.index: True for each in replay.statements if each.visibility not in _PLAIN}


def _unrepairable(subject: Subject, evidence: Evidence) -> str:
    """Why nothing is planned at all; empty if something may be."""
    if any(row.finished or row.applied_steps_count >= 1 for row in subject.attempts):
        return "No plan of repair: an attempt of it ran to its end once, so it is not known what production lost since."
    if replay_of(subject) is None:
        return (
            "No plan of repair: its attempts did not all run the file as it is now, so the rest of the file is not the "
            "rest of what ran."
        )
    for statement in evidence.statements:
        if statement.state == "open":
            return (
                f"No plan of repair: statement {statement.index} may or may not have done its work, and is never run a "
                f"second time ({statement.proof}). Find out whether it ran, and say so (approve --statement)."
            )
    return ""


def _against_completing(replay: Replay, evidence: Evidence, start: int) -> Iterator[str]:
    for statement in replay.statements[start:]:
        known = _shown_later(statement) or _answer(evidence, statement.index) is not None
        if statement.visibility in (Visibility.OPEN, Visibility.UNREACHED) and not known:
            yield (
                f"statement {statement.index} works on rows, and nothing shows that nobody ran it ({statement.why}). "
                "Find out whether it ran, and say so (approve --statement)"
            )


def _shown_later(statement: Statement) -> bool:
    """Whether its work on rows leaves a proof behind (`states.row_proofs`), and was not done while that is absent."""
    return statement.visibility is Visibility.ROWS and bool(statement.fills or statement.moves)


def _proven(replay: Replay, subject: Subject) -> set[int]:
    """The statements whose work on rows production proves, also where something else of their work differs."""
    now = witnessed(replay, subject, ()).statements
    both = zip(replay.statements, now, strict=True)
    return {old.index for old, new in both if new.visibility in _PLAIN and old.visibility not in _PLAIN}


def _against_mending(
    replay: Replay, evidence: Evidence, proven: Collection[int], production: Snapshot
) -> Iterator[str]:
    if not replay.complete:
        yield f"the script can't be replayed to its end: {replay.ended}"
    # Of one whose work on rows can't be seen, "in place" says that production proves it (`states.row_proofs`).
    done = {each.index for each in evidence.statements if each.state == "in_place"}
    absent = {each.index for each in evidence.statements if each.state == "absent"}
    for statement, (before, after) in zip(replay.statements, pairwise(replay.steps), strict=False):
        if statement.index in done or statement.index in proven or _answer(evidence, statement.index):
            if statement.visibility is Visibility.OPEN and before != after:
                # As a block that branches: production may be right, and the replay, which has no rows, another way.
                yield f"statement {statement.index} may do other things to the schema where there are rows"
            continue
        said = _answer(evidence, statement.index) is False and statement.index in absent
        # What a column that is there was filled with is shown now or never; one that is added now shows it afterwards.
        # One that the script gives another name later, or its table, may be there under that.
        added_now = bool(statement.fills) and all(
            key in replay.steps[-1] and key not in production for key, _ in statement.fills
        )
        if statement.visibility not in _PLAIN and not said and not (added_now and _shown_later(statement)):
            yield f"statement {statement.index} works on rows ({statement.why})"
        if statement.moves:
            yield f"statement {statement.index} keeps rows under another name or type"


def _against_undoing(replay: Replay, evidence: Evidence, start: int) -> Iterator[str]:
    for statement in replay.statements[start:]:
        if _answer(evidence, statement.index) and statement.visibility is not Visibility.ROWS:
            yield f"statement {statement.index} works on rows ({statement.why})"
    for statement in replay.statements[:start]:
        before, after = replay.steps[statement.index - 1], replay.steps[statement.index]
        made = any(prop == "exists" or _is_column(obj, prop) for obj, prop in after.keys() - before.keys())
        if made and (statement.conditional or _BLOCK.match(statement.sql)):
            yield (
                f"statement {statement.index} passes over what is there already, so that production may have had it "
                "before"
            )
        if statement.drops:
            obj, prop = statement.drops[0]
            what = obj if prop == "exists" else f"{prop} of {obj}"
            yield f"statement {statement.index} has dropped {what} with its rows, which nothing brings back"
        if statement.moves:
            yield f"statement {statement.index} keeps rows under another name or type, and undoing that is not planned"
        if statement.visibility is Visibility.OPEN and _answer(evidence, statement.index) is not False:
            yield f"statement {statement.index} works on rows ({statement.why})"


def _is_column(obj: str, prop: str) -> bool:
    return obj.startswith("table ") and column_of(prop) == prop


def digest(evidence: str, way: Way, statements: Iterable[PlannedStatement], *, together: bool) -> str:
    """The name of a plan: of its statements, of how they run, and of the evidence that it is made for.

    Args:
        evidence: the evidence's digest.
        way: the plan's way.
        statements: the plan's statements.
        together: whether they run as one transaction.
    """
    losing = [[loss.name for loss in each.loses] for each in statements]
    parts = [evidence, way, [each.sql for each in statements], losing, together]
    return named(parts)


def plan_of(evidence: Evidence, digest: str) -> Plan | None:
    """The plan of this digest; None if the evidence has none."""
    return next((plan for plan in evidence.repair.plans if plan.digest == digest), None)


def in_the_way(plan: Plan, discard: Collection[str], *, restorable: bool) -> tuple[str, ...]:
    """Why a plan is not carried out although it is proven, as sentences; empty if nothing is in its way.

    Args:
        plan: the plan.
        discard: names of tables and columns whose rows may be lost.
        restorable: a restore point is made before the first change.
    """
    said = [f"It would fail: {each.fact}." for each in plan.obstacles]
    unnamed = [loss for loss in plan.losses if loss.name not in discard]
    said += [f"It loses {counted(loss)}, and nobody agreed to that." for loss in unnamed]
    if plan.losses and not unnamed and not restorable:
        said.append("It loses rows, and no restore point is made before it.")
    return tuple(said)


def counted(loss: Loss) -> str:
    """A loss in words."""
    if loss.rows is None:
        return f"the rows of {loss.name}"
    return f"{loss.rows} {'row' if loss.rows == 1 else 'rows'} of {loss.name}"


def led_to(way: Way, evidence: Evidence) -> bool:
    """Whether production is where a plan of this way leads, whoever brought it there."""
    return evidence.verdict is (Verdict.NOT_APPLIED if way is Way.UNDO else Verdict.APPLIED)


def covered_by_auto(plan: Plan) -> bool:
    """Whether `auto = ["repair"]` agrees to a plan: it completes the script, works on no rows and loses none."""
    return plan.way is Way.COMPLETE and not plan.rows and not any(each.loses for each in plan.statements)


def script_of(plan: Plan, migration: str, schema: str) -> str:
    """A plan as a script to be run by hand, with psql or any other client.

    Args:
        plan: the plan.
        migration: the migration that it repairs.
        schema: the schema of unqualified names, as an identifier of SQL.
    """
    head = [
        f"-- {plan.way} {migration}: {plan.proof}",
        f"-- {plan.digest}",
        "-- Afterwards: prisma-recovery run",
    ]
    body: list[str] = []
    for each in plan.statements:
        body += [f"-- It loses {counted(loss)}." for loss in each.loses if loss.rows != 0]
        body += [f"-- It takes along what only production has: {', '.join(each.takes)}." for _ in each.takes[:1]]
        guards = [line for loss in each.loses for line in _guard(loss)]
        alone = bool(guards) and not plan.together
        body += [*(["BEGIN;"] if alone else []), *guards, f"{each.sql};", *(["COMMIT;"] if alone else [])]
    settings = [f"SET search_path = {schema};", "SET lock_timeout = '3s';", "SET statement_timeout = 0;"]
    if any(each.loses for each in plan.statements):
        settings.append("SET row_security = off;")  # a policy would hide rows, and now makes the count fail
    stop = "-- With psql, give -v ON_ERROR_STOP=1, so that it ends at an error and says so by its exit code."
    separately = "-- Each statement is committed by itself."
    middle = ["BEGIN;", *body, "COMMIT;"] if plan.together else [separately, *body]
    return "\n".join([*head, stop, *settings, *middle, ""])


def _guard(loss: Loss) -> Iterator[str]:
    """Statements that fail if more would be lost than when the plan was made, as rows may have come since."""
    if loss.rows is None:
        return
    said = f"{loss.name} holds more by now than when this plan was made: make a new one"
    more = f"({counting(loss.name)}) > {loss.rows}"
    block = f"BEGIN IF {more} THEN RAISE EXCEPTION USING MESSAGE = {_literal(said)}; END IF; END"
    yield f"{locking(loss.name)};"
    yield f"DO {_literal(block)};"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def locking(name: str) -> str:
    """The statement that keeps everybody from the table of a loss, by its name."""
    return f"LOCK TABLE {parted(name)[0]} IN ACCESS EXCLUSIVE MODE"


def counting(name: str) -> str:
    """The query that counts what a loss of that name takes away."""
    table, column = parted(name)
    what = '"' + unquoted(column).replace('"', '""') + '"' if column else "*"
    return f"SELECT count({what}) FROM {table}"  # noqa: S608 - both are identifiers


def parted(name: str) -> tuple[str, str]:
    """Table and column of a loss, as identifiers of SQL; an empty column for the whole table."""
    parts, quoted = [""], False
    for character in name:
        quoted ^= character == '"'
        if character == "." and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return ".".join(parts[:2]), parts[2] if len(parts) > 2 else ""  # noqa: PLR2004 - schema, table, column


def lists(statements: Sequence[PlannedStatement]) -> str:
    """How many statements these are, in words."""
    return "1 statement" if len(statements) == 1 else f"{len(statements)} statements"
