"""PIPELINE_READY: may a step of the data pipeline be run, and which one?

The gate opens for whoever reached this state. Behind it nothing moves the machine any more: a step that fails, or that
may not be begun, leaves the recovery where it is, and the refusal says how to go on with the steps.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from states.answers import RUN_AGAIN, Exit, NextCommand, Refusal
from states.table import State

_FIRST = "Run prisma-recovery run first."


@dataclass(frozen=True, slots=True)
class GateFacts:
    """What the gate depends on, besides the checks of preflight.

    Attributes:
        state: where the last recovery of this database stands; None if there was none.
        left: migrations that are failed or pending now.
    """

    state: State | None
    left: tuple[str, ...] = ()


def gate(facts: GateFacts) -> Refusal | None:
    """Why no step may be run; None if the gate is open. What was proven once may have changed since."""
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
    """What happens when it is a step's turn."""

    #: It is run.
    RUN = "run"
    #: It was run before, and succeeded: it is passed over.
    DONE = "done"


@dataclass(frozen=True, slots=True)
class StepFacts:
    """A step of the pipeline when it is its turn.

    Attributes:
        idempotent: running it twice does no harm.
        begun: it was begun before.
        exit_code: how it ended then; None if that is not recorded.
        stopping: the run was asked to stop.
    """

    name: str
    idempotent: bool
    begun: bool = False
    exit_code: int | None = None
    stopping: bool = False


def turn(step: StepFacts) -> Turn | Refusal:
    """Runs what was never begun, and what may be run twice; passes over what succeeded; refuses what is in doubt."""
    if step.stopping:
        return Refusal(
            "pipeline.stopped",
            f"The pipeline was asked to stop before the step {step.name}, which was not run.",
            "Run prisma-recovery pipeline: it goes on there.",
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
        "See what it did, and say so.",
        commands=ways(step.name),
    )


def ended(name: str, exit_code: int) -> Refusal | None:
    """Why the steps after this one are not run; None if it succeeded."""
    if exit_code == 0:
        return None
    return Refusal(
        "pipeline.failed",
        f"The step {name} failed with exit code {exit_code}; the steps after it were not run.",
        "Mend its cause, and run it again; or say that it is done.",
        commands=ways(name),
    )


def known(
    idempotent: Mapping[str, bool], ever: Mapping[str, int | None], here: Mapping[str, int | None]
) -> dict[str, int | None]:
    """How each step that counts as begun has ended; None where that is not recorded.

    A step that must run once counts as begun whichever run began it. An idempotent one is run anew in a new run.

    Args:
        idempotent: of each configured step, whether it is, by the step's key.
        ever: exit code of each step that any run began, by its key.
        here: the same, of this run alone.
    """
    found = {key: here if twice else ever for key, twice in idempotent.items()}
    return {key: codes[key] for key, codes in found.items() if key in codes}


@dataclass(frozen=True, slots=True)
class RunOnceFacts:
    """Steps that must run once, before they are begun for the first time (RULES F10).

    Attributes:
        steps: their names.
        journal: where the journal is, for people.
        shared: other machines use the same journal, so it knows their steps.
        agreed: a person, or the settings, said that nobody else runs these steps; asked only without a shared journal.
        file: where this folder's own journal is, for people.
        begun_in_file: the first of the steps that a run with this folder's own journal began; None if none did.
    """

    steps: tuple[str, ...]
    journal: str
    shared: bool
    agreed: bool = False
    file: str = ""
    begun_in_file: str | None = None


def may_begin(facts: RunOnceFacts) -> Refusal | None:
    """Why these steps may not be begun: another machine, or another journal's run, may have run them already."""
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
            "See what it did, and say so.",
            commands=ways(name),
        )
    return None


def only_steps_are_left(state: State, *, asked_for: bool, outcomes: Sequence[int | None]) -> bool:
    """A recovery is through, and the steps that it was asked to run are not: they alone remain to be done.

    Args:
        state: where the recovery stands.
        asked_for: it was asked to run its pipeline.
        outcomes: exit code of each configured step; None if it was not begun, or did not end.
    """
    return state is State.PIPELINE_READY and asked_for and any(code != 0 for code in outcomes)


def ways(name: str) -> tuple[NextCommand, ...]:
    """The commands by which a person says how a step ended."""
    return tuple(
        NextCommand(shlex.join(("prisma-recovery", "pipeline", option, name)), when)
        for option, when in (("--repeat", "to run it again"), ("--done", "if it is done"))
    )
