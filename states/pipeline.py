"""PIPELINE_READY: may a step of the data pipeline be run?

The gate is open for a recovery in this state. The steps do not move the machine: if a step fails or may not be begun,
the recovery stays in this state, and the refusal says how to continue with the steps.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from states.answers import RUN_AGAIN, NextCommand, Refusal
from states.exit_codes import Exit
from states.table import State

_FIRST = "Run prisma-recovery run first."


@dataclass(frozen=True, slots=True)
class GateFacts:
    """The facts that open the gate, besides the checks of preflight.

    Attributes:
        state: the state of the last recovery of this database; None if there was none.
        left: migrations that are failed or pending now.
    """

    state: State | None
    left: tuple[str, ...] = ()


def gate(facts: GateFacts) -> Refusal | None:
    """The refusal to run any step; None if the gate is open.

    A recovery that reached PIPELINE_READY is not enough, since the ledger may have changed since.
    """
    if facts.state is not State.PIPELINE_READY:
        stands = "there is no recovery of this database" if facts.state is None else f"it stands at {facts.state}"
        return Refusal(
            "pipeline.not_ready",
            f"The gate is closed: {stands}. No step was run.",
            _FIRST,
            commands=(RUN_AGAIN,),
        )
    if facts.left:
        return Refusal(
            "pipeline.history_changed",
            f"The gate was open, but {facts.left[0]} is failed or pending now. No step was run.",
            _FIRST,
            commands=(RUN_AGAIN,),
        )
    return None


class Turn(StrEnum):
    """What to do with a step when its turn comes."""

    #: Run it.
    RUN = "run"
    #: Skip it: it was run before, and succeeded.
    DONE = "done"


@dataclass(frozen=True, slots=True)
class StepFacts:
    """The facts on a step of the pipeline when its turn comes.

    Attributes:
        idempotent: running it twice does no harm.
        begun: it was begun before.
        exit_code: its exit code then; None if that is not recorded.
        stopping: the run was asked to stop.
    """

    name: str
    idempotent: bool
    begun: bool = False
    exit_code: int | None = None
    stopping: bool = False


def turn(step: StepFacts) -> Turn | Refusal:
    """Skips a step that succeeded before, runs one that was never begun or may be repeated, and refuses any other."""
    if step.stopping:
        return Refusal(
            "pipeline.stopped",
            f"The pipeline was asked to stop before the step {step.name}, which was not run.",
            "Run prisma-recovery pipeline, which continues with that step.",
            Exit.INTERRUPTED,
        )
    if step.begun and step.exit_code == 0:
        return Turn.DONE
    if not step.begun or step.idempotent:
        return Turn.RUN
    code = step.exit_code
    what = "was begun, and how it ended is not known" if code is None else f"failed with exit code {code}"
    return Refusal(
        "pipeline.in_doubt",
        f"The step {step.name} {what}. It was not run again.",
        "Find out whether the step did its work, and say so.",
        commands=ways(step.name),
    )


def ended(name: str, exit_code: int) -> Refusal | None:
    """The refusal to run the steps after this one; None if this one succeeded."""
    if exit_code == 0:
        return None
    return Refusal(
        "pipeline.failed",
        f"The step {name} failed with exit code {exit_code}; the steps after it were not run.",
        "Mend the cause of the failure, and run the step again; or say that it is done.",
        commands=ways(name),
    )


def known(
    idempotent: Mapping[str, bool], ever: Mapping[str, int | None], here: Mapping[str, int | None]
) -> dict[str, int | None]:
    """The exit code of each step that counts as begun, by the step's key; None if it is not recorded.

    A step that must run once counts as begun if any run began it; an idempotent one, only if this run began it.

    Args:
        idempotent: whether each configured step is idempotent, by the step's key.
        ever: the exit code of each step that any run began.
        here: the exit code of each step that this run began.
    """
    found = {key: here if twice else ever for key, twice in idempotent.items()}
    return {key: codes[key] for key, codes in found.items() if key in codes}


def unfinished(*, asked_for: bool, outcomes: Sequence[int | None]) -> bool:
    """Whether a run left its pipeline to the run after it, in which the steps that succeeded are done.

    Args:
        asked_for: the run was asked to run its pipeline.
        outcomes: exit code of each configured step; None if it was not begun, or if its end is not recorded.
    """
    return asked_for and any(code != 0 for code in outcomes)


@dataclass(frozen=True, slots=True)
class RunOnceFacts:
    """The facts on steps that must run once and were not begun yet (RULES F10).

    Attributes:
        steps: the names of the steps.
        journal: the place of the journal, for people.
        shared: other machines use the same journal, so it also records the steps that they began.
        agreed: a person, or the settings, said that nobody else runs these steps; asked only without a shared journal.
        file: the place of this folder's own journal, for people.
        begun_in_file: the first of the steps that a run with this folder's own journal began; None if none did.
    """

    steps: tuple[str, ...]
    journal: str
    shared: bool
    agreed: bool = False
    file: str = ""
    begun_in_file: str | None = None


def may_begin(facts: RunOnceFacts) -> Refusal | None:
    """The refusal to begin these steps, which another machine or a run with another journal may already have begun."""
    if not facts.shared and not facts.agreed:
        return Refusal(
            "pipeline.needs_shared_journal",
            f"Not idempotent: {', '.join(facts.steps)}. Whether another machine has run it is not known, since the "
            f"journal {facts.journal} is a file. No step was run.",
            "Keep the journal where every machine sees it (--journal target); or run in a terminal, and type that "
            'nobody else has run it; or, where only this machine ever does, add "pipeline" to auto in '
            "prisma-recovery.toml.",
        )
    if facts.shared and facts.begun_in_file is not None:
        name = facts.begun_in_file
        return Refusal(
            "pipeline.other_journal",
            f"The step {name} was begun by a run whose journal is {facts.file}; the journal {facts.journal} does not "
            "know of it. No step was run.",
            "Find out whether the step did its work, and say so.",
            commands=ways(name),
        )
    return None


def ways(name: str) -> tuple[NextCommand, ...]:
    """The commands with which a person says how a step ended."""
    return tuple(
        NextCommand(shlex.join(("prisma-recovery", "pipeline", option, name)), when)
        for option, when in (("--repeat", "to run it again"), ("--done", "if it is done"))
    )
