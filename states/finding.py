"""What the replay of one script tells of production, whoever ran it: the finding that verdicts are made of."""

from dataclasses import dataclass, replace
from typing import Protocol

from states.comparison import (
    Difference,
    StatementState,
    differences,
    nearest,
    statement_states,
    steps_equal_to,
)
from states.evidence import ASSUMED, NO_HANDWORK, Progress, Verdict
from states.facts import Replay, Statement, Stop, Subject, Visibility
from states.presence import in_view
from states.row_proofs import altered_since, columns_made_again, filled_otherwise, witnessed


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict on one script with its reasons.

    Attributes:
        verdict: what production has of the script.
        reasons: why, in sentences.
        progress: how many of its statements are in place.
        statements: each statement's state.
        differences: properties of production that differ from the nearest step.
        assumes: names of the assumptions that the verdict rests on (RULES E21).
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    progress: Progress
    statements: tuple[StatementState, ...] = ()
    differences: tuple[Difference, ...] = ()
    assumes: tuple[str, ...] = ()


class _Found(Protocol):
    def __call__(
        self, verdict: Verdict, *reasons: str, closest: int | None = None, assumes: tuple[str, ...] = ()
    ) -> Finding: ...


def _not_done(replay: Replay, subject: Subject) -> dict[int, str]:
    """Open statements that no attempt of this script completed, each with its proof (RULES E7)."""
    attempts = [row.id for row in subject.attempts if row.checksum == replay.checksum]
    if subject.attempts and not attempts:
        # The file was edited since, and no attempt ran it as it is now (RULES E22).
        return {
            statement.index: "no attempt ran the file as it is now"
            for statement in replay.statements
            if statement.visibility not in (Visibility.SEEN, Visibility.INERT)
        }
    proofs = [[stop for stop in subject.stops if stop.row == row] for row in attempts]
    found: dict[int, str] = {}
    for statement in replay.statements:
        if statement.visibility in (Visibility.SEEN, Visibility.INERT):
            continue
        before = [[stop for stop in stops if _keeps_from(stop, statement)] for stops in proofs]
        if before and all(before):
            found[statement.index] = before[-1][0].why
    return found


def _keeps_from(stop: Stop, statement: Statement) -> bool:
    """Whether nothing of a statement is done where an attempt stopped there. A sequence is not rolled back (E25)."""
    reached = stop.undone or stop.statement == statement.index
    return stop.statement <= statement.index and (statement.atomic or not reached)


def _answers_count(replay: Replay, subject: Subject) -> bool:
    """Whether a person may say which rows are done: every attempt ran the script as it is now, and none to its end."""
    ran = {row.checksum for row in subject.attempts}
    ended = any(row.finished or row.applied_steps_count >= 1 for row in subject.attempts)
    return ran == {replay.checksum} == {subject.present} and not ended


def _one_of_the_ends(replay: Replay, at: tuple[int, ...]) -> tuple[int, ...]:
    """Of several steps that production equals, with others in between, the first or the last of all if it is one.

    As of an index that is dropped and made again. Whether what lies in between ran is not known, and does not matter if
    it does nothing to rows: production has what the whole script leaves, or what nothing of it does (RULES E17). What
    comes after the steps that are known may have run, too.
    """
    if not at or at == tuple(range(at[0], at[-1] + 1)) or not replay.complete:
        return at
    between = replay.statements[at[0] : at[-1]]
    if any(each.visibility not in (Visibility.SEEN, Visibility.INERT) for each in between):
        return at
    ends = {0, replay.total} & set(at)
    return tuple(ends) if len(ends) == 1 else at


def of_script(replay: Replay, subject: Subject) -> Finding:
    """What follows if this script is the one that ran."""
    production = in_view(subject)
    replay, at = _standing(replay, subject)
    last = replay.total
    at = _one_of_the_ends(replay, at)
    where = (min(at), max(at)) if at else (0, 0)
    progress = Progress(where, last)
    not_done = _not_done(replay, subject)
    answered = subject.answered if _answers_count(replay, subject) else None
    statements = statement_states(replay, production, at, not_done, answered)
    said = tuple(s for s in statements if s.said is not None)
    told = [f"Of statement {s.index} a person says that it {'ran' if s.said else 'did not run'}." for s in said]
    opened = [f"Statement {s.index} is open: {s.proof}." for s in statements if s.state == "open"]
    # Of what writes only to something absent it is not the attempt that proves it.
    proven = [f"Statement {s.index} did not run: {s.proof}." for s in statements if s.proof == not_done.get(s.index)]

    sentences = _Said(opened, proven, told)

    def found(verdict: Verdict, *reasons: str, closest: int | None = None, assumes: tuple[str, ...] = ()) -> Finding:
        shown = () if closest is None else differences(replay, closest, production)
        return Finding(verdict, reasons, progress, statements, shown, assumes)

    # The count of a row is proof for that row's script only: a later attempt, or the present file, may do more. Of a
    # withdrawn attempt it tells what was done once, not what is done (RULES E23).
    if any(
        row.applied_steps_count >= 1
        and row.checksum == replay.checksum
        and (row.rolled_back_at is None or subject.marking)
        for row in subject.attempts
    ):
        return _after_success(replay, at, found)
    if not at and not replay.complete:
        return found(
            Verdict.UNDECIDABLE,
            f"Production equals no step of the script as far as it could be replayed: {replay.ended}.",
        )
    if not at:
        closest = nearest(replay, production)
        place = "before its first statement"
        if closest:
            place = "after its last statement" if closest == last else f"after statement {closest} of {last}"
        return found(
            Verdict.DRIFTED,
            f"Production equals no step of the script. Shown are the differences from the state {place}.",
            closest=closest,
        )
    if at != tuple(range(where[0], where[1] + 1)):
        return found(
            Verdict.UNDECIDABLE,
            "Production equals both a step before and a step after some change of the script, "
            "so the schema can't tell whether that change was made.",
        )
    if 0 in at and (why := altered_since(replay, subject)):
        return found(
            Verdict.UNDECIDABLE,
            f"Production equals the state before the script, but {why}: some of it may have run and been taken back.",
            *opened,
            *proven,
        )
    if 0 in at:
        return _at_the_beginning(replay, at, statements, sentences, found)
    if not replay.complete:
        return found(
            Verdict.UNDECIDABLE,
            f"At least the first {where[0]} of {last} statements are in production, and the replay ended early: "
            f"{replay.ended}.",
            *opened,
            *proven,
        )
    if last in at:
        if why := filled_otherwise(replay, subject):
            return found(Verdict.UNDECIDABLE, f"The schema is as the script leaves it, but {why}.", *opened, *told)
        return _at_the_end(replay, statements, sentences, found)
    if why := columns_made_again(replay, subject, where[1]):
        return found(
            Verdict.UNDECIDABLE,
            f"Production equals a state within the script, but {why}: the rest may have run and been taken back.",
            *opened,
            *proven,
        )
    steps = f"{where[0]}" if where[0] == where[1] else f"{where[0]} to {where[1]}"
    first = f"The first {steps} of {last} statements are" if steps != "1" else f"The first of {last} statements is"
    return found(
        Verdict.PARTIAL,
        f"{first} in production, the rest is not.",
        *opened,
        *proven,
        *told,
        closest=last,
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """Sentences on statements whose work no schema shows.

    Attributes:
        opened: of each that is open.
        proven: of each that is known not to have run.
        told: of each that a person has answered.
    """

    opened: list[str]
    proven: list[str]
    told: list[str]


def _standing(replay: Replay, subject: Subject) -> tuple[Replay, tuple[int, ...]]:
    """The replay with what production proves of rows, and the steps that production equals."""
    production = in_view(subject)
    at = steps_equal_to(replay, production)
    replay = witnessed(replay, subject, at)
    # Where rows prove that all of it ran, nothing can have used a sequence that it makes: its first number counts, too.
    return replay, tuple(step for step in steps_equal_to(replay, production) if step in at)


def _at_the_end(replay: Replay, statements: tuple[StatementState, ...], sentences: _Said, found: _Found) -> Finding:
    """The finding if the schema is as the script leaves it."""
    opened, proven, told = sentences.opened, sentences.proven, sentences.told
    if opened or proven:
        return found(
            Verdict.UNDECIDABLE,
            "Every effect that the schema can show is in production, but it can't show all of the script.",
            *opened,
            *proven,
            *told,
        )
    last = replay.total
    if any(s.state == "absent" for s in statements if s.said is not None):
        first = "The schema is as the script leaves it, but not all of its rows are."
        return found(Verdict.PARTIAL, first, *told, closest=last)
    every = f"All {last} statements of the script are" if last > 1 else "The only statement of the script is"
    return found(Verdict.APPLIED, f"{every} in production.", *told)


def _at_the_beginning(
    replay: Replay,
    at: tuple[int, ...],
    statements: tuple[StatementState, ...],
    sentences: _Said,
    found: _Found,
) -> Finding:
    """The finding if production equals the state before the script.

    Either no effect that the schema can show is in production, or the script has no such effect (`traceless`).
    """
    opened, proven = sentences.opened, [*sentences.proven, *sentences.told]
    traceless = len(replay.steps) - 1 in at
    # An unreached statement can't have run if an earlier step is absent; one that may write or lose rows is open (E15).
    unreached = {s.index for s in replay.statements if s.visibility is Visibility.UNREACHED}
    blocking = any(s.state == "open" and (traceless or s.index not in unreached) for s in statements)
    if blocking:
        what = (
            "The script leaves no trace in the schema."
            if traceless
            else "No effect that the schema can show is in production, but it can't show all of the script."
        )
        return found(Verdict.UNDECIDABLE, what, *opened, *proven)
    answers = {s.state for s in statements if s.said is not None}
    if "in_place" in answers and not replay.complete:
        early = f"Some of the script's work on rows is done, and its replay ended early: {replay.ended}."
        return found(Verdict.UNDECIDABLE, early, *proven)
    if "in_place" in answers:
        if not traceless or any(s.state == "absent" for s in statements):
            first = "The schema is as it was before the script, but some of its work on rows is done."
            return found(Verdict.PARTIAL, first, *proven, closest=replay.total)
        return found(Verdict.APPLIED, "All of the script's work is done, and no schema could show it.", *proven)
    if traceless and not (sentences.proven or answers):
        return found(
            Verdict.NOT_APPLIED,
            "The script changes nothing here: Prisma can run it again and record it itself.",
        )
    # That no attempt ran a statement does not tell that no person did (RULES E21). What only writes to something absent
    # was run by nobody.
    shown = {s.index for s in replay.statements if s.visibility is Visibility.ROWS}
    if not traceless:
        shown |= {s.index for s in replay.statements if s.visibility is Visibility.UNREACHED}
    shown |= {s.index for s in statements if s.said is not None}
    by_hand = tuple(s for s in statements if s.state == "absent" and s.index in _open_ones(replay) - shown)
    if not by_hand:
        return found(Verdict.NOT_APPLIED, "Nothing of the script is in production.", *proven)
    numbers = ", ".join(str(s.index) for s in by_hand)
    of = f"statement {numbers}" if len(by_hand) == 1 else f"one of the statements {numbers}"
    return found(
        Verdict.NOT_APPLIED,
        "Nothing of the script is in production.",
        *proven,
        f"{ASSUMED}{of} by hand.",
        assumes=(NO_HANDWORK,),
    )


def _open_ones(replay: Replay) -> set[int]:
    return {s.index for s in replay.statements if s.visibility not in (Visibility.SEEN, Visibility.INERT)}


def _after_success(replay: Replay, at: tuple[int, ...], found: _Found) -> Finding:
    """The finding if an attempt ran to its end: the migration is then never marked rolled back (RULES E3)."""
    ran = "Prisma counted the script as run to its end (applied_steps_count is at least 1)"
    if not replay.complete:
        return found(Verdict.UNDECIDABLE, f"{ran}, but the script can't be replayed: {replay.ended}.")
    nothing_to_see = all(step == replay.steps[0] for step in replay.steps)
    if replay.total in at:
        also = ", and nothing of it could be seen in the schema." if nothing_to_see else ", and production shows it."
        return found(Verdict.APPLIED, ran + also)
    return found(
        Verdict.DRIFTED,
        f"{ran}, but production does not show it: it was changed since.",
        closest=replay.total,
    )


def made_already(replay: Replay, subject: Subject) -> Finding | None:
    """The finding if the script makes what the history before it has made already (RULES E27); None if it does not.

    Never that nothing of it is in production. It is applied where all that it makes is there as it would make it.
    """
    twin = next((each for each in subject.twins if each.checksum == replay.checksum), None)
    if twin is None or any(row.applied_steps_count >= 1 for row in subject.attempts):
        return None
    production = in_view(subject)
    by = f"{twin.by} made that before it" if twin.by else "the history before it made that"
    why = f"Statement {twin.statement} fails on the history: {twin.said}; {by}."
    alone = twin.replay
    at = () if alone is None else steps_equal_to(alone, production)
    if alone is not None and alone.total in at and 0 not in at and at == tuple(range(at[0], alone.total + 1)):
        statements = statement_states(alone, production, at, {})
        proven = {s.index for s in alone.statements if twin.same and s.visibility is Visibility.ROWS}
        if not any(each.state == "open" and each.index not in proven for each in statements):
            every = "All that the script makes is in production, as it would make it."
            return Finding(Verdict.APPLIED, (why, every), Progress((at[0], alone.total), alone.total), statements)
    statements = statement_states(replay, production, steps_equal_to(replay, production), {})
    again = "A second run would fail, and not all that the script makes is proven to be in production."
    shown = () if alone is None else differences(alone, alone.total, production)
    return Finding(Verdict.UNDECIDABLE, (why, again), Progress((0, 0), replay.total), statements, shown)


def amended(finding: Finding, verdict: Verdict, *reasons: str) -> Finding:
    """The finding with another verdict and other reasons."""
    return replace(finding, verdict=verdict, reasons=reasons)
