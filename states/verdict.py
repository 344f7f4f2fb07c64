"""The verdict: is the failed or pending migration in the database? Judged from evidence alone (RULES E1 to E14)."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from states.comparison import steps_equal_to
from states.digest import digest
from states.evidence import Decision, Evidence, Progress, Verdict
from states.facts import Cause, Replay, Row, Subject, Visibility
from states.finding import Finding, amended, made_already, of_script
from states.presence import in_view, passed_over, surely_fails


def _finding(subject: Subject) -> tuple[Finding, Decision]:
    nothing = Progress((0, 0), 0)
    if subject.running:
        finding = Finding(Verdict.IN_PROGRESS, subject.running, nothing)
        return finding, Decision.WAIT
    if subject.unreadable:
        return Finding(Verdict.UNDECIDABLE, (subject.unreadable,), nothing), Decision.OPERATOR
    if not subject.attempts:
        return _never_attempted(subject, subject.replays[0])
    present = next((r for r in subject.replays if r.checksum == subject.present), None)
    ran = [r for r in subject.replays if r.checksum in {row.checksum for row in subject.attempts}]
    if not ran or {row.checksum for row in subject.attempts} - {replay.checksum for replay in ran}:
        return Finding(Verdict.UNDECIDABLE, ("The script of an attempt was not found.",), nothing), Decision.OPERATOR
    findings = [made_already(replay, subject) or of_script(replay, subject) for replay in ran]
    finding = findings[-1]
    skipped = tuple(f"Not replayed before it: {note}" for replay in ran[-1:] for note in replay.skipped)
    if subject.unreplayed:
        finding = _without_the_rest(finding)
    if reason := _beside_others(subject, finding):
        return amended(finding, Verdict.UNDECIDABLE, reason, *finding.reasons, *skipped), Decision.OPERATOR
    if present is not None and present not in ran and (whole := _by_the_present_file(subject, present, ran)):
        return amended(whole, Verdict.APPLIED, *whole.reasons, *skipped), Decision.MARK_APPLIED
    if len({f.verdict for f in findings}) > 1:
        reason = "Its attempts ran different scripts, and production answers differently for each."
        return amended(finding, Verdict.UNDECIDABLE, reason), Decision.OPERATOR
    if finding.verdict is Verdict.APPLIED:
        if present not in ran:
            reason = "The script that ran is in production, but the migration's file was edited since and is not."
            if present is not None and of_script(present, subject).verdict is Verdict.APPLIED:
                reason = "The script that ran is in production, and more than the migration's file makes as it is now."
            return amended(finding, Verdict.UNDECIDABLE, reason), Decision.OPERATOR
        if any(row.finished for row in subject.attempts):
            reason = "Another attempt of it finished: marking the dead one rolled back withdraws that attempt only."
            return amended(finding, Verdict.APPLIED, *finding.reasons, reason), Decision.MARK_ROLLED_BACK
        return amended(finding, finding.verdict, *finding.reasons, *skipped), Decision.MARK_APPLIED
    finding = amended(finding, finding.verdict, *finding.reasons, *skipped)
    if finding.verdict is not Verdict.NOT_APPLIED:
        return finding, Decision.OPERATOR
    assumes = frozenset(name for each in findings for name in each.assumes)
    will_run = None if present is None or present in ran else of_script(present, subject)
    return _not_applied(subject, finding, will_run, assumes)


def _by_the_present_file(subject: Subject, present: Replay, ran: Sequence[Replay]) -> Finding | None:
    """The finding if the file was edited after it failed, and somebody then ran all of it by hand; None if not so.

    Production is then as if the file had run once, if what the attempts ran left nothing besides (RULES E17, E22).
    """
    finding = of_script(present, subject)
    finished = any(row.finished for row in subject.attempts)
    if finding.verdict is not Verdict.APPLIED or finished or _beside_others(subject, finding):
        return None
    production, last = in_view(subject), present.steps[-1]
    kept = {statement.sql for statement in present.statements}
    for replay in ran:
        gone = [statement for statement in replay.statements if statement.sql not in kept]
        shown = all(statement.visibility in (Visibility.SEEN, Visibility.INERT) for statement in gone)
        shown = shown and not _loses(replay, present)
        # What could not be replayed is in the file, too, which is shown to be there once and wholly.
        unreached = any(statement.index >= len(replay.steps) for statement in gone)
        if unreached or not shown:
            return None
        before = replay.steps[0]
        changed = {key for key in replay.footprint if any(step.get(key) != before.get(key) for step in replay.steps)}
        ends = {key: last.get(key) if key in present.footprint else before.get(key) for key in changed}
        if any(production.get(key) not in (before.get(key), end) for key, end in ends.items()):
            return None
    edited = "The file was edited after it failed, and what ran before left nothing else."
    return amended(finding, finding.verdict, *finding.reasons, edited)


def _loses(replay: Replay, present: Replay) -> bool:
    """Whether a script that ran drops or changes something that was there, by a statement that the file has not.

    Nothing brings its rows back, whoever has made the same again.
    """
    kept = {statement.sql for statement in present.statements}
    for statement, (before, after) in zip(replay.statements, pairwise(replay.steps), strict=False):
        if statement.sql not in kept and any(after.get(key) != value for key, value in before.items()):
            return True
    return False


def _without_the_rest(finding: Finding) -> Finding:
    """The finding without what a gap in the history before it may have made (RULES E26)."""
    steps = finding.verdict in (Verdict.PARTIAL, Verdict.DRIFTED)
    return replace(finding, differences=(), reasons=() if steps else finding.reasons)


def _beside_others(subject: Subject, finding: Finding) -> str:
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
    subject: Subject, finding: Finding, will_run: Finding | None, assumes: frozenset[str]
) -> tuple[Finding, Decision]:
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
        return amended(finding, finding.verdict, *finding.reasons, once), Decision.OPERATOR
    present = next((replay for replay in subject.replays if replay.checksum == subject.present), None)
    if present is not None and any(_loses(replay, present) for replay in subject.replays):
        reason = "A script that ran loses what was there, and the migration's file does so no more."
        return amended(finding, Verdict.UNDECIDABLE, reason, *finding.reasons), Decision.OPERATOR
    if will_run is not None:
        if will_run.verdict is not Verdict.NOT_APPLIED:
            reason = "The migration's file was edited since, and something of it as it is now may be in production."
            return amended(will_run, Verdict.UNDECIDABLE, reason, *will_run.reasons), Decision.OPERATOR
        if will_run.assumes and not finding.assumes:
            finding = amended(finding, finding.verdict, *finding.reasons, will_run.reasons[-1])
        assumes |= frozenset(will_run.assumes)
    finding = replace(finding, assumes=tuple(sorted(assumes)))
    return finding, Decision.MARK_ROLLED_BACK if assumes <= subject.assume else Decision.OPERATOR


def _never_attempted(subject: Subject, replay: Replay) -> tuple[Finding, Decision]:
    """The finding on a pending migration: a deploy runs it, unless it is already there or the deploy would fail."""
    finding = of_script(replay, subject)
    if subject.finished_as:
        return _finished_under_another_name(subject, replay, finding)
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
        # What was skipped in the replay (DROP … IF EXISTS) is not skipped where it is there.
        doing = [s for s in replay.statements if s.conditional or s.visibility is not Visibility.INERT]
        if doing and all(s.conditional and s.visibility is Visibility.SEEN for s in doing):
            reasons = (*reasons, "Each is conditional, so a deploy changes nothing and records it.")
            return amended(finding, verdict, *reasons), Decision.DEPLOY
        return amended(finding, verdict, *reasons), Decision.MARK_APPLIED
    if why := surely_fails(replay, production):
        return amended(finding, verdict, *reasons, f"A deploy would fail: {why}."), Decision.OPERATOR
    if why := passed_over(replay, production):
        return amended(finding, verdict, *reasons, f"A deploy would end well, but {why}."), Decision.OPERATOR
    # A DROP IF EXISTS, unlike what makes something IF NOT EXISTS, takes away what is there in another form.
    drops = {s.index for s in replay.statements if s.conditional and not s.skips and s.visibility is Visibility.ROWS}
    known = drops if verdict is Verdict.DRIFTED else set()
    if any(state.state == "open" and state.index not in known for state in finding.statements):
        reason = "Something of it is in production, and a deploy would do its work on rows, maybe a second time."
        return amended(finding, verdict, *reasons, reason), Decision.OPERATOR
    return amended(finding, verdict, *reasons), Decision.DEPLOY


def _finished_under_another_name(subject: Subject, replay: Replay, finding: Finding) -> tuple[Finding, Decision]:
    """The finding on a pending migration whose script finished under a name that the folder has lost (RULES E27).

    Its folder was renamed, and a deploy would run it a second time; or the old folder was removed, and this is a new
    migration that says the same. The replay of the history has it under its old name, too. Where production is as that
    leaves it, and the script fails there because of what it made, its effects are those of the one run.
    """
    there = subject.repeats and 0 in steps_equal_to(replay, in_view(subject))
    was = f"It finished as {subject.finished_as}, a name that the folder has no more, with this very script"
    if subject.counted and there:
        return amended(finding, Verdict.APPLIED, f"{was}, and its effects are in production."), Decision.MARK_APPLIED
    if all(statement.visibility is Visibility.INERT for statement in replay.statements):
        return finding, Decision.DEPLOY
    ran = "was renamed, or this is a new migration that says the same" if subject.counted else "was renamed and ran"
    unknown = f"{was}; but nothing shows whether it {ran}. A deploy would run it, maybe again."
    return amended(finding, Verdict.UNDECIDABLE, unknown), Decision.OPERATOR


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
