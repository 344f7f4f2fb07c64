"""Drives the machine: observes, lets the state decide, journals the decision, acts, observes again.

Before an effect its intent is journaled, and after it the observed result. A resumed run knows only the fold of its
events; it observes everything else anew, from PREFLIGHT on.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from recovery import events
from recovery.effects.results import MakeRestorePoint, Performed, RestorePoint
from recovery.errors import BusyError, RecoveryError, SlowStartError, StoppedError, UsageError
from recovery.evidence.baseline import Baselined
from recovery.evidence.inspection import Inspection
from recovery.evidence.investigator import Classified
from recovery.evidence.pending import Compared
from recovery.journal import Journal
from recovery.journal.run_record import Kind, RunRecord, record_of
from recovery.run import excerpts
from recovery.run.diary import OUTPUT_KEPT, Diary
from recovery.run.ports import Ended, Policy, Question, World
from recovery.run.proposal import baseline_proposed, ending_proposed, proposed
from recovery.version import __version__
from states import classification, effects, preflight, repair
from states.answers import RUN_AGAIN, Answer, Go, Refusal
from states.baseline_answers import BaselineFacts
from states.classification import ClassifyFacts
from states.deployment import DeployFacts
from states.evidence import Verdict
from states.exit_codes import Exit
from states.facts import NO_ANSWERS, Answers, Check, Orphan, Row
from states.inspection import InspectFacts
from states.ledger import lost_effect, still_settled
from states.machine import Facts, RecoveryMachine
from states.preflight import PreflightFacts
from states.resolution import ResolveFacts
from states.table import FINAL, State
from states.verification import VerifyFacts, wrong_checksums


class Engine:
    """One recovery of one target."""

    def __init__(  # noqa: PLR0913 - its ports
        self,
        world: World,
        journal: Journal,
        policy: Policy,
        emit: events.Sink,
        new_run: Callable[[], str],
        restore_point: MakeRestorePoint | None = None,
        stopping: Callable[[], bool] = lambda: False,
        *,
        redact: excerpts.Redact = excerpts.plain,
        discard: frozenset[str] = frozenset(),
    ) -> None:
        """Takes its ports.

        Args:
            world: production, the project, and Prisma.
            journal: the journal of this target.
            policy: decides whether a change may be made.
            emit: takes the events.
            new_run: gives the id of a new run.
            restore_point: makes a restore point before a run's first effect; None for none.
            stopping: whether the run was asked to stop; it stops before its next state or effect, never during one.
            redact: removes secrets from texts that are recorded for the report alone.
            discard: names of tables and columns whose rows a repair may lose.
        """
        self._world = world
        self._journal = journal
        self._policy = policy
        self._emit = emit
        self._new_run = new_run
        self._restore_point = restore_point
        self._stopping = stopping
        self._redact = redact
        self._discard = discard
        self._diary = Diary(journal, redact, "", RunRecord())
        self._machine = RecoveryMachine()
        self._inspection: Inspection | None = None
        self._checks: tuple[Check, ...] = ()
        self._present: dict[str, Classified] = {}
        self._question: ClassifyFacts | None = None
        self._compared: Compared | None = None
        self._baselined: Baselined | None = None
        self._marks: tuple[str, ...] = ()
        self._decided: tuple[effects.Resolution | effects.Repair, Classified] | None = None
        self._before: tuple[Row, ...] = ()

    def run(self, target: str, source: str) -> Ended:
        """Starts a recovery, or resumes the unfinished one, until it is ready or blocked.

        Args:
            target: the target, for people.
            source: where the target's URL was found, for people.

        Raises:
            RecoveryError: the journal can't be read or written, or the ledger could not be read at the start.
        """
        self._begin(target, source)
        refusal: Refusal | None = None
        while self._machine.current not in (*FINAL, State.BLOCKED):
            state = self._machine.current
            try:
                answer = self._step(state)
            except RecoveryError as error:
                answer = self._machine.refuse(error.refusal())
            else:
                if isinstance(answer, Refusal):
                    with contextlib.suppress(RecoveryError):  # the run is being refused already
                        # An awaited check may have its answer by now: show a second obstacle at once, without waiting.
                        self._settle(state, wait=False)
            refusal = self._write_down(state, answer)
        exit_code = refusal.exit if refusal is not None else Exit.READY
        return Ended(self._diary.run, self._machine.current, exit_code, refusal)

    def _begin(self, target: str, source: str) -> None:
        runs = self._journal.runs()
        last = runs[-1] if runs else ""
        known = self._journal.events(last) if last else ()
        record = record_of(known)
        resumed = bool(last) and record.state not in FINAL
        if resumed and (why := self._behind(record)):
            self._take_up(last, record, len(known))
            self._machine.abort(why)
            self._append(Kind.MOVED, record.state, {"from": record.state, "to": State.ABORTED, "because": why})
            resumed = False
        if resumed:
            self._take_up(last, record, len(known))
            self._emit(events.RunStarted(last, target, source, resumed=True, since=record.state))
            self._leave(record.state)
            if self._machine.current is State.BLOCKED:
                self._machine.rerun()
                self._append(
                    Kind.MOVED, State.BLOCKED, {"from": State.BLOCKED, "to": State.PREFLIGHT, "because": "run again"}
                )
            return
        run = self._new_run()
        self._take_up(run, RunRecord())
        self._append(Kind.STARTED, State.PREFLIGHT, {"target": target, "source": source, "version": __version__})
        self._emit(events.RunStarted(run, target, source, resumed=False))

    def _take_up(self, run: str, record: RunRecord, seq: int = 0) -> None:
        self._diary = Diary(self._journal, self._redact, run, record, seq=seq)
        self._machine = RecoveryMachine(record.state)

    def _leave(self, state: State) -> None:
        """Records that the last process died in `state`, so that this one starts at PREFLIGHT and observes anew."""
        if state in (State.BLOCKED, State.PREFLIGHT):
            return
        refusal = Refusal(
            "engine.interrupted",
            f"The last process ended in {state}, so the database is looked at anew.",
            "Run again: it goes on from PREFLIGHT.",
            Exit.INTERRUPTED,
            (RUN_AGAIN,),
        )
        self._machine.refuse(refusal)
        self._write_down(state, refusal, tell=False)

    def _behind(self, record: RunRecord) -> str:
        """Why the run no longer fits the database, which lost the run's changes (a restore, RULES F10); or empty."""
        lost = lost_effect(record.resolved, self._world.inspect().rows) if record.resolved else None
        if lost is None:
            return ""
        return f"The database no longer shows {lost} as this run left it: it was restored or replaced."

    def _heed(self) -> None:
        """Stops the run if that was asked for. Called only where no command is running and everything is journaled.

        Raises:
            StoppedError: the run was asked to stop.
        """
        if self._stopping():
            raise StoppedError(
                "engine.stopped",
                "The recovery was asked to stop. None of its commands is running, and what it did is in the journal.",
                "Run prisma-recovery run again: it looks at the database anew and goes on from there.",
            )

    def _step(self, state: State) -> Answer:
        self._heed()
        match state:
            case State.PREFLIGHT:
                self._checks = self._world.checks()
                if preflight.against(self._checks):
                    self._checks = self._world.settled(self._checks)
                if (orphan := preflight.orphan(self._checks)) is not None:
                    self._without(orphan)
                self._diary.checked(state, self._checks)
                self._emit(events.ChecksMade(self._checks))
                return self._advance(PreflightFacts(self._checks))
            case State.INSPECT:
                return self._inspect()
            case State.CLASSIFY:
                return self._classify()
            case State.RESOLVE:
                return self._resolve()
            case State.DEPLOY:
                return self._deploy()
            case State.VERIFY:
                return self._verify()
            case _:
                raise AssertionError(f"nothing is done in {state}")

    def _without(self, orphan: Orphan) -> None:
        """Ends the orphan that keeps the run from going on, if somebody agrees, and makes the checks anew.

        To end it a second time harms nobody, since only the session that was shown is ended: its intent is recorded,
        and never in doubt.
        """
        effect = effects.EndOrphan(orphan.pid)
        self._emit(ending_proposed(orphan))
        if not self._policy.consents(Question("orphan", effect, orphan.statement)):
            return
        self._heed()
        self._diary.orphan_intended(State.PREFLIGHT, orphan)
        self._emit(events.EffectStarted(effect.id, orphan.statement))
        began = time.monotonic()
        why = self._world.end_orphan(orphan)
        self._diary.orphan_ended(State.PREFLIGHT, orphan, why)
        self._emit(events.EffectEnded(effect.id, not why, time.monotonic() - began, why))
        self._checks = self._world.settled(self._world.checks())

    def _advance(self, facts: Facts) -> Answer:
        return self._machine.advance(facts)

    def _demanded(self) -> Refusal | None:
        """The refusal if a check that PREFLIGHT awaits does not hold; asked before effects and the gate (RULES F2)."""
        self._settle(self._machine.current)
        refusal = preflight.demanded(self._checks)
        return None if refusal is None else self._machine.refuse(refusal)

    def _settle(self, state: State, *, wait: bool = True) -> None:
        """Records and emits the answers of checks that were awaited."""
        settled = self._world.settled(self._checks, wait=wait)
        late = tuple(check for check in settled if check not in self._checks)
        if late:
            self._checks = settled
            self._diary.checked(state, settled)
        for check in late:
            self._emit(events.CheckMade(check))

    def _observe(self) -> Inspection:
        self._inspection = self._world.inspect()
        return self._inspection

    def _seen(self) -> Inspection:
        """The last observation of ledger and folder; made now if there is none yet."""
        return self._inspection or self._observe()

    def _facts(self) -> InspectFacts:
        seen = self._seen()
        return InspectFacts(seen.history, still_settled(self._record.settled, seen.rows))

    def _before_deploy(self) -> InspectFacts:
        """The facts of INSPECT; if a deploy could be next, with the pending migrations already in production."""
        facts = self._facts()
        self._present, self._compared, self._baselined = {}, None, None
        if not facts.history.pending:
            return facts
        begun = bool(self._record.baseline)
        compared = self._world.compare(self._seen(), failed=bool(facts.unsettled), begun=begun)
        if not facts.unsettled and compared.baseline is None:
            self._compared = compared
        baseline = self._with_baseline(compared.baseline)
        for classified in compared.found:
            name = classified.evidence.migration
            self._present[name] = classified
            self._diary.classified(self._machine.current, classified)
            self._emit(events.PresentFound(classified.evidence))
        if compared.missing:
            self._emit(events.PendingUncompared(compared.missing))
        present = tuple(
            ClassifyFacts(classified.evidence, approval=self._record.approvals.get(name))
            for name, classified in self._present.items()
        )
        return replace(facts, present=present, baseline=baseline)

    def _with_baseline(self, baselined: Baselined | None) -> BaselineFacts | None:
        """Records and emits how far production has the history."""
        if baselined is None:
            return None
        self._baselined = baselined
        self._diary.baselined(self._machine.current, baselined.evidence)
        self._emit(events.BaselineFound(baselined.evidence))
        return BaselineFacts(baselined.evidence, self._record.baseline_approval)

    def _inspect(self) -> Answer:
        inspection = self._observe()
        self._find(inspection)
        for failure in inspection.failures:
            if not any(failure.same_as(known) for known in self._record.failures):
                self._diary.failed(self._machine.current, failure)
        self._emit(events.Inspected(inspection.history))
        self._diary.note_inspection(inspection)
        facts = self._before_deploy()
        self._question = facts.question
        if facts.baseline is not None and not facts.baseline.asks:
            self._baselined = None
        return self._advance(facts)

    def _find(self, seen: Inspection) -> None:
        """Records whether the ledger shows an effect in doubt, whose process died before its end was recorded.

        Nothing is decided by this: the command may still be about to begin, and evidence is gathered anew anyway.
        """
        if not self._record.in_doubt:
            return
        effect = effects.of_id(self._record.in_doubt, self._record.doubted)
        if isinstance(effect, effects.Repair):
            if effect.migration not in self._facts().unsettled:
                self._repair_found(effect, shown=True)  # somebody has settled the migration since
            elif self._record.aside and self._nothing_done():
                self._repair_found(effect, shown=False, undone=True)  # so what a person said is as true as before
            return  # else CLASSIFY tells by the schema what became of it
        shown = effects.shown(effect, seen.rows)
        found = events.EffectFound(self._record.in_doubt, self._world.command(effect), shown)
        self._diary.found(self._machine.current, found.effect, shown=shown)
        self._emit(found)

    def _nothing_done(self) -> bool:
        """Whether a repair in doubt certainly did nothing: it had not begun, or its transaction was rolled back."""
        number = self._record.transaction
        return number == 0 or (number > 0 and self._world.undone(number))

    def _repair_found(self, effect: effects.Repair, *, shown: bool, undone: bool = False) -> None:
        """Records whether production is where a repair in doubt was to lead."""
        self._diary.found(self._machine.current, effect.id, shown=shown, undone=undone)
        self._emit(events.EffectFound(effect.id, self._world.command(effect), shown))

    def _classify(self) -> Answer:
        if self._baselined is not None:
            return self._agree_to(self._baselined)
        if self._question is not None:
            name = self._question.evidence.migration
            classified = self._present[name]  # shown and recorded when it was compared
            evidence = classified.evidence
        else:
            found = self._facts()
            name = found.unsettled[0]
            classified = self._world.classify(name, found.settled, marking=name in self._record.marking)
            evidence = classified.evidence
            self._diary.classified(self._machine.current, classified)
            self._emit(events.EvidenceFound(evidence))
            doubted = effects.of_id(self._record.in_doubt, ())
            if isinstance(doubted, effects.Repair) and doubted.migration == name:
                self._repair_found(doubted, shown=repair.led_to(doubted.way, evidence))
        facts = ClassifyFacts(
            evidence,
            classified.ran_to_its_end,
            self._record.approvals.get(name),
            discard=self._discard,
            restorable=self._restore_point is not None,
        )
        effect = classification.resolution(facts)
        if effect is not None and not classification.fails_again(facts):
            facts = self._with_what_fails_after(facts, effect)
        if effect is not None and not (classification.fails_again(facts) or facts.failing_after):
            done = effects.shown(effect, classified.rows)
            agreed = done or self._agreed(
                Question(evidence.verdict, effect, self._world.command(effect), evidence), approved=facts.approved
            )
            facts = replace(facts, consented=agreed)
        mending = classification.repair(facts)
        if mending is not None:
            plan = repair.plan_of(evidence, mending.plan)
            kind = "repair" if plan is not None and repair.covered_by_auto(plan) else ""
            question = Question(kind, mending, self._world.command(mending), evidence)
            facts = replace(facts, repairing=self._agreed(question, approved=classification.repair_approved(facts)))
        decided = effect or mending
        self._decided = None if decided is None else (decided, classified)
        return self._advance(facts)

    def _with_what_fails_after(self, facts: ClassifyFacts, effect: effects.Resolution) -> ClassifyFacts:
        """The facts with the pending migrations on which the deploy after a mark would surely fail.

        Not where the mark was begun, which is better finished (RULES F5), and not of a pending migration, which was
        compared with the others.
        """
        name = facts.evidence.migration
        seen = self._seen()
        if name in self._record.marking or name not in seen.history.failed or not seen.history.pending:
            return facts
        failing = []
        for classified in self._world.failing_after((effect,), seen):
            question = ClassifyFacts(
                classified.evidence, approval=self._record.approvals.get(classified.evidence.migration)
            )
            if not question.approved:
                failing.append(classified.evidence)
                self._diary.classified(self._machine.current, classified)
                self._emit(events.PresentFound(classified.evidence))
        return replace(facts, failing_after=tuple(failing))

    def _agree_to(self, baselined: Baselined) -> Answer:
        """CLASSIFY on a baseline: one answer for all of its marks."""
        facts = BaselineFacts(baselined.evidence, self._record.baseline_approval)
        if facts.marks:
            effect = effects.MarkApplied(facts.marks[0])
            self._emit(baseline_proposed(facts, self._world.command(effect)))
            agreed = facts.approved or self._policy.consents(Question("baseline", effect, self._world.command(effect)))
            facts = replace(facts, consented=agreed)
        self._marks = facts.marks
        return self._advance(facts)

    def _mark_all(self, baselined: Baselined) -> Answer:
        """RESOLVE of a baseline: a command for each migration, in the order of the history."""
        self._baselined = None
        if refusal := self._demanded():
            return refusal
        began = time.monotonic()
        for done, name in enumerate(self._marks):
            lasted = time.monotonic() - began
            left = lasted / done * (len(self._marks) - done) if done else None
            self._emit(events.Progressed(events.Task.MARKS, round(lasted, 1), done, len(self._marks), name, left=left))
            effect = effects.MarkApplied(name)
            intent = {"effect": effect.id, "migration": name, "evidence": baselined.evidence.evidence_digest}
            performed = self._perform(effect, intent, partial(self._world.resolve, effect, baselined), name)
            shown = not performed.unchanged and effects.shown(effect, self._observe().rows)
            self._ended(effect, performed, shown=shown, migration=name)
            if not shown:
                output = performed.output[-OUTPUT_KEPT:]
                return self._advance(ResolveFacts(effect, shown, self._facts(), performed.unchanged, output))
        self._heed()
        return self._advance(ResolveFacts(effect, shown=True, after=self._before_deploy()))

    def _resolve(self) -> Answer:
        if self._baselined is not None:
            return self._mark_all(self._baselined)
        if self._decided is None:
            raise AssertionError("CLASSIFY leads to RESOLVE only with an effect")
        effect, classified = self._decided
        if isinstance(effect, effects.Repair):
            return self._repair(effect, classified)
        if effects.shown(effect, classified.rows):
            # Done by hand, or by a run whose journal is lost: nothing is left to do, and a deploy may follow.
            performed, self._before = Performed(), self._seen().rows
        elif refusal := self._demanded():
            return refusal
        else:
            intent = {
                "effect": effect.id,
                "migration": effect.migration,
                "evidence": classified.evidence.evidence_digest,
            }
            performed = self._perform(effect, intent, lambda: self._world.resolve(effect, classified))
        shown = not performed.unchanged and effects.shown(effect, self._observe().rows)
        self._ended(effect, performed, shown=shown, migration=effect.migration)
        self._heed()
        return self._advance(
            ResolveFacts(
                effect,
                shown,
                self._before_deploy() if shown else self._facts(),
                performed.unchanged,
                performed.output[-OUTPUT_KEPT:],
                effects.killed(performed.exit_code),
            )
        )

    def _repair(self, effect: effects.Repair, classified: Classified) -> Answer:
        if refusal := self._demanded():
            return refusal
        plan = repair.plan_of(classified.evidence, effect.plan)
        if plan is None:
            raise AssertionError("a repair is decided from one of the evidence's plans")
        intent = {
            "effect": effect.id,
            "plan": effect.plan,
            "statements": [self._redact(each.sql) for each in plan.statements],
        }

        def note(number: int, what: str) -> None:
            self._diary.statement(self._machine.current, effect.id, number, what)

        if plan.losses:
            self._heed()
            self._keep_rows()
        performed = self._perform(effect, intent, lambda: self._world.repair(plan, classified, note))
        self._observe()
        shown = performed.exit_code == 0
        done = repair.answers_after(effect.way, classified.subject) if shown and performed.evidence else {}
        self._ended(effect, performed, shown=shown, answers=Answers(performed.evidence, done))
        self._heed()
        return self._advance(
            ResolveFacts(effect, shown, self._facts(), performed.unchanged, performed.output[-OUTPUT_KEPT:])
        )

    def _deploy(self) -> Answer:
        before = self._seen()
        effect = effects.Deploy(before.history.pending)
        self._foresee(effect)
        if not self._agreed(Question("deploy", effect, self._world.command(effect))):
            return self._advance(DeployFacts(effect.migrations, self._facts(), consented=False))
        if refusal := self._demanded():
            return refusal
        planned = {name: before.checksums[name] for name in effect.migrations}
        intent = {"effect": effect.id, "planned": planned}
        performed = self._perform(effect, intent, lambda: self._world.deploy(effect, before))
        earlier = self._record.failures
        after = self._observe()
        shown = not performed.unchanged and not after.failures and not after.history.pending
        finished = {row.migration for row in after.rows if row.finished}
        deployed = [*self._record.planned, *effect.migrations]
        self._ended(effect, performed, shown=shown, deployed=[name for name in deployed if name in finished])
        for failure in after.failures:
            self._diary.failed(self._machine.current, failure)
        return self._advance(
            DeployFacts(
                planned=effect.migrations,
                after=self._facts(),
                consented=True,
                unchanged=performed.unchanged,
                failures=after.failures,
                earlier=earlier,
                output=performed.output[-OUTPUT_KEPT:],
                killed=effects.killed(performed.exit_code),
            )
        )

    def _foresee(self, effect: effects.Deploy) -> None:
        """Shows what a deploy would do, before anybody agrees to it."""
        absent = {name for name, known in self._record.evidence.items() if known["verdict"] == Verdict.NOT_APPLIED}
        settled = absent & self._facts().settled  # of one that a person had marked, production may have something
        again = (effects.MarkRolledBack(name) for name in effect.migrations if name in settled)
        rehearsals = self._world.rehearse((*again, effect), self._compared)
        if rehearsals:
            self._diary.rehearsed(self._machine.current, rehearsals)
            self._emit(events.PendingRehearsed(rehearsals))

    def _agreed(self, question: Question, *, approved: bool = False) -> bool:
        """Proposes a change, and returns whether there is consent to it; an approval of the evidence is consent."""
        effect = question.effect
        if effect is not None and not isinstance(effect, effects.EndOrphan):
            self._emit(proposed(effect, question.command, question.evidence))
        return approved or self._policy.consents(question)

    def _perform(
        self, effect: effects.Effect, intent: dict[str, Any], act: Callable[[], Performed], of: str = ""
    ) -> Performed:
        """Performs an effect between its intent and its outcome; `of` is the one migration whose rows are recorded."""
        self._heed()  # consent may have taken a person long, and making a restore point takes long
        self._keep_a_restore_point()
        self._heed()
        self._before, command = self._seen().rows, self._world.command(effect)
        kept = [row for row in self._before if of in ("", row.migration)]
        self._diary.intended(self._machine.current, intent, command, kept)
        self._emit(events.EffectStarted(effect.id, command))
        try:
            return act()
        except (BusyError, SlowStartError, UsageError) as error:
            # These are raised only before the command is started, so the effect certainly did not happen.
            self._diary.not_begun(self._machine.current, effect, error.fact)
            raise

    def _keep_rows(self) -> None:
        """Makes a restore point right before rows are lost: one that this run made earlier may hold other rows."""
        if self._restore_point is None:
            raise AssertionError("CLASSIFY lets no rows be lost without a restore point")
        self._note_restore_point(self._restore_point(f"{self._diary.run}-{len(self._journal.events(self._diary.run))}"))

    def _note_restore_point(self, made: RestorePoint) -> None:
        self._diary.restore_point(self._machine.current, made)
        self._emit(events.RestorePointMade(made.kind, made.place, made.lsn, made.time, made.back))

    def _keep_a_restore_point(self) -> None:
        """Makes the restore point, once per run before its first effect. If that fails it raises: no effect follows."""
        if self._restore_point is None or self._record.restore_point:
            return
        self._note_restore_point(self._restore_point(self._diary.run))

    def _ended(
        self,
        effect: effects.Effect,
        performed: Performed,
        *,
        shown: bool,
        migration: str = "",
        deployed: Sequence[str] | None = None,
        answers: Answers = NO_ANSWERS,
    ) -> None:
        """Records and emits the end of an effect; the arguments are those of `Diary.observed`."""
        state, after = self._machine.current, self._seen().rows
        self._diary.observed(
            state,
            effect,
            performed,
            self._before,
            after,
            shown=shown,
            migration=migration,
            deployed=deployed,
            answers=answers,
        )
        killed = effects.killed(performed.exit_code)
        self._emit(events.EffectEnded(effect.id, shown, performed.seconds, performed.unchanged, killed))

    def _verify(self) -> Answer:
        rows = self._observe().rows
        proof = self._world.prove(rows, frozenset(self._record.planned))
        self._emit(events.SchemaCompared(proof.proven, proof.differing, proof.elsewhere))
        self._diary.note_proof(proof)
        if refusal := self._demanded():
            return refusal
        return self._advance(
            VerifyFacts(
                after=self._facts(),
                changed=self._record.changed,
                proven=proof.proven,
                differing=proof.differing,
                elsewhere=proof.elsewhere,
                wrong_checksums=wrong_checksums(self._record.planned, rows),
                unprovable=proof.unprovable,
            )
        )

    def _write_down(self, state: State, answer: Answer, *, tell: bool = True) -> Refusal | None:
        self._diary.moved(state, answer)
        if isinstance(answer, Go):
            if tell:
                self._emit(events.StateEntered(answer.to, answer.because))
            return None
        if tell:
            self._emit(events.Refused(state, answer))
        return answer

    @property
    def _record(self) -> RunRecord:
        return self._diary.record

    def _append(self, kind: str, state: State, payload: dict[str, Any]) -> None:
        self._diary.append(kind, state, payload)
