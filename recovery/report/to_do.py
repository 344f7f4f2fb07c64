"""What to do now about a run, from its record; the report and `status` say the same."""

from recovery.journal.run_record import RunRecord
from states.table import State


def to_do(record: RunRecord) -> str:
    """What a person does next, as a sentence or two."""
    if record.state is State.PIPELINE_READY:
        left = next((key.rpartition(":")[0] for key, code in record.steps.items() if code != 0), None)
        if left is None:
            return "Nothing: the gate is open."
        return (
            f"Find out what the step {left} did; then run prisma-recovery pipeline --repeat {left}, or "
            f"prisma-recovery pipeline --done {left}."
        )
    if record.state is State.ABORTED:
        return "Nothing: this recovery was given up. prisma-recovery run starts a new one."
    if record.state is State.BLOCKED:
        return record.remedy or "Run prisma-recovery run again."
    return "Run prisma-recovery run: it resumes this recovery, or says that another process is still at work on it."
