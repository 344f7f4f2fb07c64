"""What to do now about a run, from its record; the report and `status` say the same."""

from recovery.journal.run_record import RunRecord
from states.answers import RUN_AGAIN, NextCommand
from states.pipeline import ways
from states.table import State


def step_left(record: RunRecord) -> tuple[str, str]:
    """The first step of the pipeline that was begun and did not succeed, and the first that was not begun yet.

    Each is a name; empty if there is none, or if the pipeline was not asked for.
    """
    begun = (key for key, code in record.steps.items() if code != 0 and (key in record.wanted or not record.wanted))
    coming = (key for key in record.wanted if key not in record.steps)
    first, second = (next(keys, "").rpartition(":")[0] for keys in (begun, coming))
    return first, second


def commands(record: RunRecord) -> tuple[NextCommand, ...]:
    """The commands to run next where no refusal of the run names any."""
    if record.state is State.PIPELINE_READY:
        begun, next_ = step_left(record)
        if begun:
            return ways(begun)
        return (NextCommand("prisma-recovery pipeline"),) if next_ else ()
    if record.state is State.ABORTED:
        return (NextCommand(RUN_AGAIN.line, "to start a new recovery"),)
    return (RUN_AGAIN,)


def to_do(record: RunRecord) -> str:
    """What a person does next, as a sentence or two."""
    if record.state is State.PIPELINE_READY:
        begun, next_ = step_left(record)
        if begun:
            again, done = (command.line for command in ways(begun))
            return f"Find out whether the step {begun} did its work, and say so: {again}, or {done}."
        if next_:
            return f"The gate is open. Run the pipeline, which goes on with the step {next_}."
        return "Nothing: the gate is open."
    if record.state is State.ABORTED:
        return "This recovery was given up. To recover the database, start a new one."
    if record.state is State.BLOCKED:
        return record.remedy or "Run prisma-recovery run again."
    return "Run prisma-recovery run: it resumes this recovery, or says that another process is still at work on it."
