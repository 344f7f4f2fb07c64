"""The verdict: is the failed or pending migration in the database? Judged from evidence alone (RULES E1 to E14)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from states.comparison import (
    Difference,
    StatementState,
    differences,
    nearest,
    statement_states,
    steps_equal_to,
)
from states.digest import digest
from states.facts import Cause, Obstacle, Origin, Replay, Row, Runner, Subject, Trace, Visibility
from states.presence import in_view, passed_over, surely_fails
from states.row_proofs import witnessed

#: The name of the assumption that nobody ran a statement of the script by hand (RULES E21).
NO_HANDWORK = "no_handwork"
#: How the sentence on that assumption begins.
ASSUMED = "This holds only if nobody ran "


class Verdict(StrEnum):
    """What the evidence says of a failed migration."""

    #: Every effect of the script is in production.
    APPLIED = "applied"
    #: No effect of the script is in production.
    NOT_APPLIED = "not_applied"
    #: The first k of n statements are in production, the rest is not.
    PARTIAL = "partial"
    #: Production equals no step of the script.
    DRIFTED = "drifted"
    #: The schema can't tell.
    UNDECIDABLE = "undecidable"
    #: Something may still be running it.
    IN_PROGRESS = "in_progress"


class Decision(StrEnum):
    """What follows from a verdict."""

    MARK_APPLIED = "mark_applied"
    MARK_ROLLED_BACK = "mark_rolled_back"
    #: A person decides.
    OPERATOR = "operator"
    #: Look again later.
    WAIT = "wait"
    #: For a migration that was never attempted: there is nothing to decide, a deploy runs it.
    DEPLOY = "deploy"


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of the script's statements are in production: first and last of a range, where steps look alike."""

    steps_in_place: tuple[int, int]
    steps_total: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One failed or pending migration with its verdict; the fields are those of `inspect --json`.

    Attributes:
        started_at: start of the latest attempt; empty for a migration that was never attempted.
        forensics: traces of the migration's objects in production. This field and all below change neither the
            verdict nor the digest.
        indications: what the traces suggest, in sentences.
        runner: which Prisma ran the migration.
        obstacles: obstacles in production that would make the script fail again.
        origin: how the migration's objects came into production.
    """

    migration: str
    started_at: str
    applied_steps_count: int
    logs: str | None
    cause: Cause
    verdict: Verdict
    decision: Decision
    progress: Progress
    statements: tuple[StatementState, ...]
    differences: tuple[Difference, ...]
    reasons: tuple[str, ...]
    evidence_digest: str
    assumptions: tuple[str, ...] = ()
    forensics: tuple[Trace, ...] = ()
    indications: tuple[str, ...] = ()
    runner: Runner = field(default_factory=Runner)
    obstacles: tuple[Obstacle, ...] = ()
    origin: Origin = field(default_factory=Origin)

    @property
    def attempted(self) -> bool:
        """Whether Prisma has begun to run the migration at least once."""
        return bool(self.started_at)

    @property
    def in_production(self) -> bool:
        """Whether production has, or may be getting, effects of the migration."""
        if self.decision is not Decision.DEPLOY:
            return True
        there = self.verdict in (Verdict.APPLIED, Verdict.PARTIAL, Verdict.DRIFTED)
        return there or (self.verdict is Verdict.UNDECIDABLE and self.progress.steps_in_place[0] > 0)


@dataclass(frozen=True, slots=True)
class _Finding:
    verdict: Verdict
    reasons: tuple[str, ...]
    progress: Progress
    statements: tuple[StatementState, ...] = ()
    differences: tuple[Difference, ...] = ()
    assumes: tuple[str, ...] = ()


class _Found(Protocol):
    def __call__(
        self, verdict: Verdict, *reasons: str, closest: int | None = None, assumes: tuple[str, ...] = ()
    ) -> _Finding: ...


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
        before = [
            [s for s in stops if s.statement < statement.index or (s.statement == statement.index and statement.atomic)]
            for stops in proofs
        ]
        if before and all(before):
            found[statement.index] = before[-1][0].why
    return found


def _one(replay: Replay, subject: Subject) -> _Finding:
    """The verdict, if this script is the one that ran."""
    production = in_view(subject)
    at = steps_equal_to(replay, production)
    replay = witnessed(replay, subject, at)
    last = replay.total
    where = (min(at), max(at)) if at else (0, 0)
    progress = Progress(where, last)
    not_done = _not_done(replay, subject)
    statements = statement_states(replay, production, at, not_done)
    opened = [f"Statement {s.index} is open: {s.proof}." for s in statements if s.state == "open"]
    # Of what writes only to something absent it is not the attempt that proves it.
    proven = [f"Statement {s.index} did not run: {s.proof}." for s in statements if s.proof == not_done.get(s.index)]

    def found(verdict: Verdict, *reasons: str, closest: int | None = None, assumes: tuple[str, ...] = ()) -> _Finding:
        shown = () if closest is None else differences(replay, closest, production)
        return _Finding(verdict, reasons, progress, statements, shown, assumes)

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
    if 0 in at:
        return _at_the_beginning(replay, at, statements, (opened, proven), found)
    if not replay.complete:
        return found(
            Verdict.UNDECIDABLE,
            f"At least the first {where[0]} of {last} statements are in production, and the replay ended early: "
            f"{replay.ended}.",
            *opened,
            *proven,
        )
    if last in at:
        if opened or proven:
            return found(
                Verdict.UNDECIDABLE,
                "Every effect that the schema can show is in production, but it can't show all of the script.",
                *opened,
                *proven,
            )
        every = f"All {last} statements of the script are" if last > 1 else "The only statement of the script is"
        return found(Verdict.APPLIED, f"{every} in production.")
    steps = f"{where[0]}" if where[0] == where[1] else f"{where[0]} to {where[1]}"
    first = f"The first {steps} of {last} statements are" if steps != "1" else f"The first of {last} statements is"
    return found(
        Verdict.PARTIAL,
        f"{first} in production, the rest is not.",
        *opened,
        *proven,
        closest=last,
    )


def _at_the_beginning(
    replay: Replay,
    at: tuple[int, ...],
    statements: tuple[StatementState, ...],
    said: tuple[list[str], list[str]],
    found: _Found,
) -> _Finding:
    """The finding if production equals the state before the script.

    Either no effect that the schema can show is in production, or the script has no such effect (`traceless`).
    """
    opened, proven = said
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
    if traceless and not proven:
        return found(
            Verdict.NOT_APPLIED,
            "The script changes nothing here: Prisma can run it again and record it itself.",
        )
    # That no attempt ran a statement does not tell that no person did (RULES E21). What only writes to something absent
    # was run by nobody.
    shown = {s.index for s in replay.statements if s.visibility is Visibility.ROWS}
    if not traceless:
        shown |= {s.index for s in replay.statements if s.visibility is Visibility.UNREACHED}
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


def _after_success(replay: Replay, at: tuple[int, ...], found: _Found) -> _Finding:
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


def _made_already(replay: Replay, subject: Subject) -> _Finding | None:
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
            return _Finding(Verdict.APPLIED, (why, every), Progress((at[0], alone.total), alone.total), statements)
    statements = statement_states(replay, production, steps_equal_to(replay, production), {})
    again = "A second run would fail, and not all that the script makes is proven to be in production."
    shown = () if alone is None else differences(alone, alone.total, production)
    return _Finding(Verdict.UNDECIDABLE, (why, again), Progress((0, 0), replay.total), statements, shown)


def _finding(subject: Subject) -> tuple[_Finding, Decision]:
    nothing = Progress((0, 0), 0)
    if subject.running:
        finding = _Finding(Verdict.IN_PROGRESS, subject.running, nothing)
        return finding, Decision.WAIT
    if subject.unreadable:
        return _Finding(Verdict.UNDECIDABLE, (subject.unreadable,), nothing), Decision.OPERATOR
    if not subject.attempts:
        return _never_attempted(subject, subject.replays[0])
    present = next((r for r in subject.replays if r.checksum == subject.present), None)
    ran = [r for r in subject.replays if r.checksum in {row.checksum for row in subject.attempts}]
    if not ran or {row.checksum for row in subject.attempts} - {replay.checksum for replay in ran}:
        return _Finding(Verdict.UNDECIDABLE, ("The script of an attempt was not found.",), nothing), Decision.OPERATOR
    findings = [_made_already(replay, subject) or _one(replay, subject) for replay in ran]
    finding = findings[-1]
    skipped = tuple(f"Not replayed before it: {note}" for replay in ran[-1:] for note in replay.skipped)
    if subject.unreplayed:
        finding = _without_the_rest(finding)
    if reason := _beside_others(subject, finding):
        return _as(finding, Verdict.UNDECIDABLE, reason, *finding.reasons, *skipped), Decision.OPERATOR
    if present is not None and present not in ran and (whole := _by_the_present_file(subject, present, ran)):
        return _as(whole, Verdict.APPLIED, *whole.reasons, *skipped), Decision.MARK_APPLIED
    if len({f.verdict for f in findings}) > 1:
        reason = "Its attempts ran different scripts, and production answers differently for each."
        return _as(finding, Verdict.UNDECIDABLE, reason), Decision.OPERATOR
    if finding.verdict is Verdict.APPLIED:
        if present not in ran:
            reason = "The script that ran is in production, but the migration's file was edited since and is not."
            if present is not None and _one(present, subject).verdict is Verdict.APPLIED:
                reason = "The script that ran is in production, and more than the migration's file makes as it is now."
            return _as(finding, Verdict.UNDECIDABLE, reason), Decision.OPERATOR
        if any(row.finished for row in subject.attempts):
            reason = "Another attempt of it finished: marking the dead one rolled back withdraws that attempt only."
            return _as(finding, Verdict.APPLIED, *finding.reasons, reason), Decision.MARK_ROLLED_BACK
        return _as(finding, finding.verdict, *finding.reasons, *skipped), Decision.MARK_APPLIED
    finding = _as(finding, finding.verdict, *finding.reasons, *skipped)
    if finding.verdict is not Verdict.NOT_APPLIED:
        return finding, Decision.OPERATOR
    assumes = frozenset(name for each in findings for name in each.assumes)
    will_run = None if present is None or present in ran else _one(present, subject)
    return _not_applied(subject, finding, will_run, assumes)


def _by_the_present_file(subject: Subject, present: Replay, ran: Sequence[Replay]) -> _Finding | None:
    """The finding if the file was edited after it failed, and somebody then ran all of it by hand; None if not so.

    Production is then as if the file had run once, if what the attempts ran left nothing besides (RULES E17, E22).
    """
    finding = _one(present, subject)
    finished = any(row.finished for row in subject.attempts)
    if finding.verdict is not Verdict.APPLIED or finished or _beside_others(subject, finding):
        return None
    production, last = in_view(subject), present.steps[-1]
    kept = {statement.sql for statement in present.statements}
    for replay in ran:
        gone = [statement for statement in replay.statements if statement.sql not in kept]
        shown = all(statement.visibility in (Visibility.SEEN, Visibility.INERT) for statement in gone)
        if not (replay.complete and shown):
            return None
        before = replay.steps[0]
        changed = {key for key in replay.footprint if any(step.get(key) != before.get(key) for step in replay.steps)}
        if any(production.get(k) not in (before.get(k), last.get(k, before.get(k))) for k in changed):
            return None
    edited = "The file was edited after it failed, and what ran before left nothing else."
    return _as(finding, finding.verdict, *finding.reasons, edited)


def _without_the_rest(finding: _Finding) -> _Finding:
    """The finding without what a gap in the history before it may have made (RULES E26)."""
    steps = finding.verdict in (Verdict.PARTIAL, Verdict.DRIFTED)
    return replace(finding, differences=(), reasons=() if steps else finding.reasons)


def _beside_others(subject: Subject, finding: _Finding) -> str:
    """Why other migrations keep the evidence from deciding; empty if none does."""
    if subject.overtaken_by:
        return f"Finished later, and may work on the same objects: {', '.join(subject.overtaken_by)}."
    if subject.undecided:
        names = ", ".join(subject.undecided)
        return f"Failed before it, is not decided yet, and may work on the same objects: {names}."
    if subject.made_again_by and finding.verdict is Verdict.NOT_APPLIED:
        names = ", ".join(subject.made_again_by)
        return f"Failed too, and may have made again what this one takes away: {names}."
    if subject.unreplayed:
        names = "; ".join(subject.unreplayed)
        return f"Could not be replayed before it, and may work on the same objects: {names}."
    return ""


def _not_applied(
    subject: Subject, finding: _Finding, will_run: _Finding | None, assumes: frozenset[str]
) -> tuple[_Finding, Decision]:
    """Whether the script may be run again, where nothing of what the attempts ran is in production.

    Args:
        subject: the migration.
        finding: on the last attempt.
        will_run: on the file as it is now, which a deploy will run whatever the attempts ran (RULES E22); None if an
            attempt ran it.
        assumes: names of the assumptions that the attempts' findings rest on.
    """
    if any(row.finished or row.applied_steps_count >= 1 for row in subject.attempts):
        once = "An attempt of it ran to its end once, so it is never run again unasked."
        return _as(finding, finding.verdict, *finding.reasons, once), Decision.OPERATOR
    if will_run is not None:
        if will_run.verdict is not Verdict.NOT_APPLIED:
            reason = "The migration's file was edited since, and something of it as it is now may be in production."
            return _as(will_run, Verdict.UNDECIDABLE, reason, *will_run.reasons), Decision.OPERATOR
        if will_run.assumes and not finding.assumes:
            finding = _as(finding, finding.verdict, *finding.reasons, will_run.reasons[-1])
        assumes |= frozenset(will_run.assumes)
    finding = replace(finding, assumes=tuple(sorted(assumes)))
    return finding, Decision.MARK_ROLLED_BACK if assumes <= subject.assume else Decision.OPERATOR


def _never_attempted(subject: Subject, replay: Replay) -> tuple[_Finding, Decision]:
    """The finding on a pending migration: a deploy runs it, unless it is already there or the deploy would fail."""
    finding = _one(replay, subject)
    production = in_view(subject)
    if 0 in steps_equal_to(replay, production):
        return finding, Decision.DEPLOY
    reasons = (*finding.reasons, *(f"Not replayed before it: {note}" for note in replay.skipped))
    verdict = finding.verdict
    if verdict is Verdict.APPLIED and (subject.unreplayed or subject.ahead):
        verdict = Verdict.UNDECIDABLE
        if subject.ahead:
            names = ", ".join(subject.ahead)
            reasons = (f"Pending before it, not in production, and may work on the same objects: {names}.", *reasons)
        if subject.unreplayed:
            names = ", ".join(subject.unreplayed)
            reasons = (f"Could not be replayed before it, and may work on the same objects: {names}.", *reasons)
    if verdict is Verdict.APPLIED:
        if all(s.conditional for s in replay.statements if s.visibility is Visibility.SEEN):
            reasons = (*reasons, "Each is conditional, so a deploy changes nothing and records it.")
            return _as(finding, verdict, *reasons), Decision.DEPLOY
        return _as(finding, verdict, *reasons), Decision.MARK_APPLIED
    if why := surely_fails(replay, production):
        return _as(finding, verdict, *reasons, f"A deploy would fail: {why}."), Decision.OPERATOR
    if why := passed_over(replay, production):
        return _as(finding, verdict, *reasons, f"A deploy would end well, but {why}."), Decision.OPERATOR
    if any(s.visibility is Visibility.OPEN for s in replay.statements):
        reason = "Something of it is in production, and a deploy would do its work on rows, maybe a second time."
        return _as(finding, verdict, *reasons, reason), Decision.OPERATOR
    return _as(finding, verdict, *reasons), Decision.DEPLOY


def _as(finding: _Finding, verdict: Verdict, *reasons: str) -> _Finding:
    return replace(finding, verdict=verdict, reasons=reasons)


def judge(subject: Subject, cause: Cause, target: Sequence[str], base: Sequence[tuple[str, str]]) -> Evidence:
    """The evidence on a failed or pending migration, with its verdict and decision.

    Args:
        subject: the migration, with everything that the verdict rests on.
        cause: why it failed, as far as the logs tell; shown, but never decisive.
        target: the target's identity: its system identifier, database and schema, and the database's number.
        base: name and checksum of each migration that was replayed before it, in order.
    """
    finding, decision = _finding(subject)
    latest = latest_attempt(subject)
    return Evidence(
        migration=subject.migration,
        started_at=latest.started_at if latest else "",
        applied_steps_count=latest.applied_steps_count if latest else 0,
        logs=latest.logs if latest else None,
        cause=cause,
        verdict=finding.verdict,
        decision=decision,
        progress=finding.progress,
        statements=finding.statements,
        differences=finding.differences,
        reasons=finding.reasons,
        evidence_digest=digest(subject, target, base),
        assumptions=finding.assumes if finding.verdict is Verdict.NOT_APPLIED else (),
    )


def latest_attempt(subject: Subject) -> Row | None:
    """The attempt to show: the last that failed, else the last; None if the migration was never attempted."""
    failed = (row for row in reversed(subject.attempts) if row.failed)
    return next(failed, next(reversed(subject.attempts), None))
