"""The pipeline behind the gate: runs the user's own commands, in order, each at most once.

A step is identified by its name and its command. A step that was begun and whose end is not recorded is in doubt; it
is not repeated unless it is declared idempotent or a person says so.
"""

import hashlib
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recovery import events
from recovery.config import Step
from recovery.errors import UsageError
from recovery.journal import Journal, JournalEvent
from recovery.journal.run_record import Kind, record_of
from recovery.run.ports import Ended
from recovery.secrets import Redactor
from states import pipeline
from states.answers import Refusal
from states.exit_codes import Exit
from states.pipeline import StepFacts, Turn
from states.table import State


def step_key(step: Step) -> str:
    """The key of a step in the journal, made from its name and its command."""
    command = "\0".join(step.command).encode()
    return f"{step.name}:{hashlib.sha256(command).hexdigest()[:16]}"


#: Takes run-once steps that the journal doesn't know; returns the refusal to begin any of them, or None.
MayBegin = Callable[[Sequence[Step]], Refusal | None]


def begun(journal: Journal) -> dict[str, int | None]:
    """Exit code of each step that any run of the journal began, by the step's key; None for a step in doubt."""
    return record_of(event for each in journal.runs() for event in journal.events(each)).steps


@dataclass(frozen=True, slots=True)
class Decided:
    """A person's decisions on steps, by name.

    Attributes:
        repeat: steps to run again.
        done: steps that count as done.
    """

    repeat: tuple[str, ...] = ()
    done: tuple[str, ...] = ()


class PipelineRunner:
    """Runs the configured steps of one run that has reached PIPELINE_READY."""

    def __init__(
        self,
        journal: Journal,
        steps: Sequence[Step],
        cwd: Path,
        environ: Mapping[str, str],
        emit: events.Sink,
        on_output: Callable[[str], None],
        execute: Callable[[Step], int] | None = None,
    ) -> None:
        """Takes its parts.

        Args:
            journal: records the steps.
            steps: the configured steps, in order.
            cwd: the folder that the commands run in.
            environ: the environment of the commands.
            emit: takes the events.
            on_output: called with each line that the commands print.
            execute: runs a step and returns its exit code; None to run it as a process.
        """
        self._journal = journal
        self._steps = steps
        self._cwd = cwd
        self._environ = environ
        self._emit = emit
        self._on_output = on_output
        self._repeated: frozenset[str] = frozenset()
        self._execute = execute or self._process

    def decide(self, run: str, word: Decided) -> None:
        """Records a person's decisions on steps.

        Raises:
            UsageError: no step has one of these names; nothing is recorded then.
        """
        steps = {step.name: step for step in self._steps}
        for name in (*word.repeat, *word.done):
            if name not in steps:
                raise UsageError(
                    "pipeline.unknown_step",
                    f"No pipeline step is named {name}; known: {', '.join(steps) or 'none'}. Nothing was run.",
                    "Correct the name.",
                )
        for name in (*word.repeat, *word.done):
            payload = {"step": step_key(steps[name]), "exit_code": 0 if name in word.done else None}
            self._journal.append(run, Kind.STEP_DECIDED, State.PIPELINE_READY, payload)
        self._repeated = frozenset(word.repeat)

    def run(self, run: str, may_begin: MayBegin, stopping: Callable[[], bool] = lambda: False) -> Ended:
        """Runs the steps that are left, in order; stops at the first one that fails or is in doubt.

        Args:
            run: id of the run.
            may_begin: called once before any step, with the run-once steps that the journal does not know and that
                nobody said to repeat.
            stopping: whether the run was asked to stop; it stops before the next step, never during one.
        """
        record = record_of(self._journal.events(run))
        if closed := pipeline.gate(pipeline.GateFacts(record.state)):
            return self._refused(run, record.state, closed)
        wanted = tuple(step_key(step) for step in self._steps)
        if not record.pipeline or record.wanted != wanted:
            self._journal.append(run, Kind.PIPELINE, State.PIPELINE_READY, {"steps": list(wanted)})
        known = self._known(run)
        first = [step for step in self._steps if not step.idempotent and step_key(step) not in known]
        unsure = [step for step in first if step.name not in self._repeated]
        if unsure and (refusal := may_begin(unsure)):
            return self._refused(run, State.PIPELINE_READY, refusal)
        for step in self._steps:
            at = step_key(step)
            facts = StepFacts(step.name, step.idempotent, at in known, known.get(at), stopping())
            if refusal := self._one(run, step, pipeline.turn(facts)):
                return self._refused(run, State.PIPELINE_READY, refusal)
        return Ended(run, State.PIPELINE_READY, Exit.READY)

    def _refused(self, run: str, state: State, refusal: Refusal) -> Ended:
        self._emit(events.Refused(state, refusal))
        return Ended(run, state, refusal.exit, refusal)

    def _known(self, run: str) -> dict[str, int | None]:
        """Exit code of each configured step that counts as begun, by the step's key; None for a step in doubt."""
        idempotent = {step_key(step): step.idempotent for step in self._steps}
        return pipeline.known(idempotent, begun(self._journal), self._here(run))

    def _here(self, run: str) -> dict[str, int | None]:
        """The same of this run, and of the runs right before it that left their pipeline unfinished."""
        chain: list[JournalEvent] = []
        for each in self._journal.runs():
            events_of = self._journal.events(each)
            chain += events_of
            if each == run:
                break
            codes = [record_of(chain).steps.get(step_key(step)) for step in self._steps]
            if not pipeline.unfinished(asked_for=record_of(events_of).pipeline, outcomes=codes):
                chain = []
        return record_of(chain).steps

    def _one(self, run: str, step: Step, turn: Turn | Refusal) -> Refusal | None:
        if isinstance(turn, Refusal):
            return turn
        if turn is Turn.DONE:
            self._emit(events.StepEnded(step.name, 0, 0.0, already_done=True))
            return None
        intent = {"step": step_key(step), "name": step.name, "command": Redactor()(shlex.join(step.command))}
        self._journal.append(run, Kind.STEP_INTENDED, State.PIPELINE_READY, intent)
        self._emit(events.StepStarted(step.name, step.command))
        began = time.monotonic()
        exit_code = self._execute(step)
        seconds = time.monotonic() - began
        payload = {"step": step_key(step), "name": step.name, "exit_code": exit_code, "seconds": round(seconds, 3)}
        self._journal.append(run, Kind.STEP_OBSERVED, State.PIPELINE_READY, payload)
        self._emit(events.StepEnded(step.name, exit_code, seconds))
        return pipeline.ended(step.name, exit_code)

    def _process(self, step: Step) -> int:
        try:
            process = subprocess.Popen(
                step.command,
                cwd=self._cwd,
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            self._on_output(f"{step.command[0]}: {error.strerror}")
            return 127
        with process:
            if process.stdout is not None:
                for line in process.stdout:
                    self._on_output(line.rstrip("\n"))
        return process.returncode
