"""Whether another machine may already have run a step that must run only once."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from recovery.config import Step
from recovery.journal.stores import FileStore, Store
from recovery.run.pipeline import MayBegin, begun, key, ways
from recovery.run.ports import Policy, Question
from states.answers import Refusal

_KIND = "pipeline"


def unless_run_elsewhere(store: Store, home: Path, target: str, policy: Policy) -> MayBegin:
    """Whether steps that must run once may be begun for the first time, as far as the journal knows (RULES F10).

    A journal in a file knows only the steps that were run from this folder, so a person or the settings must say that
    nobody else runs them. A shared journal knows every step, except those that were run from this folder before the
    journal was shared.

    Args:
        store: where the journal of this run is kept.
        home: the folder in which a journal's file would be.
        target: the database, as the journal names it.
        policy: asked where the journal is a file.
    """
    if store.shared:
        return lambda steps: _in_the_file(store, home, target, steps)
    return lambda steps: _only_here(store, steps, policy)


def _only_here(store: Store, steps: Sequence[Step], policy: Policy) -> Refusal | None:
    names = ", ".join(step.name for step in steps)
    if policy.consents(Question(_KIND, None, names)):
        return None
    return Refusal(
        "pipeline.needs_shared_journal",
        f"Not idempotent: {names}. Whether another machine has run it is not known, since the journal {store} is a "
        "file. No step was run.",
        "Keep the journal where every machine sees it (--journal target); or run in a terminal, and type that nobody "
        f'else has run it; or, where only this machine ever does, add "{_KIND}" to auto in prisma-recovery.toml.',
    )


def _in_the_file(store: Store, home: Path, target: str, steps: Sequence[Step]) -> Refusal | None:
    file = FileStore(home)
    journal = file.find(target)
    if journal is None:
        return None
    with contextlib.closing(journal):
        known = begun(journal)
    for step in steps:
        if key(step) in known:
            return Refusal(
                "pipeline.other_journal",
                f"The step {step.name} was begun by a run whose journal is {file}; the journal {store} does not know "
                "of it. No step was run.",
                "See what it did, and say so.",
                commands=ways(step),
            )
    return None
