"""Drives the machine: observes, lets the state decide, journals the decision, acts, observes again.

Before an effect its intent is journaled, and after it the observed result. A resumed run knows only the fold of its
events; it observes everything else anew, from PREFLIGHT on.
"""

import contextlib
import time
from collections.abc import Callable

from recovery import events
from recovery.effects.results import MakeRestorePoint
from recovery.errors import RecoveryError
from recovery.journal import Journal
from recovery.journal.run_record import Kind, RunRecord, record_of
from recovery.run import acting, classifying, excerpts, looking
from recovery.run.course import Course
from recovery.run.diary import Diary
from recovery.run.ports import Ended, Policy, Question, World
from recovery.run.proposal import ending_proposed
from recovery.version import __version__
from states import effects, preflight
from states.answers import RUN_AGAIN, Answer, Go, Refusal
from states.exit_codes import Exit
from states.facts import Orphan
from states.ledger import lost_effect
from states.preflight import PreflightFacts
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
        self._new_run = new_run
        diary = Diary(journal, redact, "", RunRecord())
        self._course = Course(world, journal, policy, emit, restore_point, stopping, redact, discard, diary)

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
        while self._course.machine.current not in (*FINAL, State.BLOCKED):
            state = self._course.machine.current
            try:
                answer = self._step(state)
            except RecoveryError as error:
                answer = self._course.machine.refuse(error.refusal())
            else:
                if isinstance(answer, Refusal):
                    with contextlib.suppress(RecoveryError):  # the run is being refused already
                        # An awaited check may have its answer by now: show a second obstacle at once, without waiting.
                        self._course.settle(state, wait=False)
            refusal = self._write_down(state, answer)
            if self._course.machine.current is not State.DEPLOY:
                self._course.world.withdraw()
        exit_code = refusal.exit if refusal is not None else Exit.READY
        return Ended(self._course.diary.run, self._course.machine.current, exit_code, refusal)

    def _begin(self, target: str, source: str) -> None:
        runs = self._course.journal.runs()
        last = runs[-1] if runs else ""
        known = self._course.journal.events(last) if last else ()
        record = record_of(known)
        resumed = bool(last) and record.state not in FINAL
        if resumed and (why := self._behind(record)):
            self._course.take_up(last, record, len(known))
            self._course.machine.abort(why)
            self._course.diary.append(
                Kind.MOVED, record.state, {"from": record.state, "to": State.ABORTED, "because": why}
            )
            resumed = False
        if resumed:
            self._course.take_up(last, record, len(known))
            self._course.emit(events.RunStarted(last, target, source, resumed=True, since=record.state))
            self._leave(record.state)
            if self._course.machine.current is State.BLOCKED:
                self._course.machine.rerun()
                self._course.diary.append(
                    Kind.MOVED, State.BLOCKED, {"from": State.BLOCKED, "to": State.PREFLIGHT, "because": "run again"}
                )
            return
        run = self._new_run()
        self._course.take_up(run, RunRecord())
        self._course.diary.append(
            Kind.STARTED, State.PREFLIGHT, {"target": target, "source": source, "version": __version__}
        )
        self._course.emit(events.RunStarted(run, target, source, resumed=False))

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
        self._course.machine.refuse(refusal)
        self._write_down(state, refusal, tell=False)

    def _behind(self, record: RunRecord) -> str:
        """Why the run no longer fits the database, which lost the run's changes (a restore, RULES F10); or empty."""
        lost = lost_effect(record.resolved, self._course.world.inspect().rows) if record.resolved else None
        if lost is None:
            return ""
        return f"The database no longer shows {lost} as this run left it: it was restored or replaced."

    def _step(self, state: State) -> Answer:
        self._course.heed()
        match state:
            case State.PREFLIGHT:
                self._course.checks = self._course.world.checks()
                if preflight.against(self._course.checks):
                    self._course.checks = self._course.world.settled(self._course.checks)
                if (orphan := preflight.orphan(self._course.checks)) is not None:
                    self._without(orphan)
                self._course.diary.checked(state, self._course.checks)
                self._course.emit(events.ChecksMade(self._course.checks))
                return self._course.machine.advance(PreflightFacts(self._course.checks))
            case State.INSPECT:
                return looking.inspect(self._course)
            case State.CLASSIFY:
                return classifying.classify(self._course)
            case State.RESOLVE:
                return acting.resolve(self._course)
            case State.DEPLOY:
                return acting.deploy(self._course)
            case State.VERIFY:
                return self._verify()
            case _:
                raise AssertionError(f"nothing is done in {state}")

    def _without(self, orphan: Orphan) -> None:
        """Ends the orphan that keeps the run from going on, if somebody agrees, and makes the checks anew.

        To end it a second time harms nobody, since only the session that was shown is ended: its intent is recorded,
        and never in doubt.
        """
        course = self._course
        effect = effects.EndOrphan(orphan.pid)
        course.emit(ending_proposed(orphan))
        if not course.policy.consents(Question("orphan", effect, orphan.statement)):
            return
        course.heed()
        course.diary.orphan_intended(State.PREFLIGHT, orphan)
        course.emit(events.EffectStarted(effect.id, orphan.statement))
        began = time.monotonic()
        why = course.world.end_orphan(orphan)
        course.diary.orphan_ended(State.PREFLIGHT, orphan, why)
        course.emit(events.EffectEnded(effect.id, not why, time.monotonic() - began, why))
        course.checks = course.world.settled(course.world.checks())

    def _verify(self) -> Answer:
        rows = self._course.observe().rows
        proof = self._course.world.prove(rows, frozenset(self._course.record.planned))
        self._course.emit(events.SchemaCompared(proof.proven, proof.differing, proof.elsewhere))
        self._course.diary.note_proof(proof)
        if refusal := self._course.demanded():
            return refusal
        return self._course.machine.advance(
            VerifyFacts(
                after=self._course.facts(),
                changed=self._course.record.changed,
                proven=proof.proven,
                differing=proof.differing,
                elsewhere=proof.elsewhere,
                wrong_checksums=wrong_checksums(self._course.record.planned, rows),
                unprovable=proof.unprovable,
            )
        )

    def _write_down(self, state: State, answer: Answer, *, tell: bool = True) -> Refusal | None:
        self._course.diary.moved(state, answer)
        if isinstance(answer, Go):
            if tell:
                self._course.emit(events.StateEntered(answer.to, answer.because))
            return None
        if tell:
            self._course.emit(events.Refused(state, answer))
        return answer
