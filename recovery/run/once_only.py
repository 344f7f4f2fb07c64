"""Whether another machine may already have run a step that must run only once."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recovery.config import Step
from recovery.journal.stores import FileStore, Store
from recovery.run.pipeline import MayBegin, begun, step_key
from recovery.run.ports import Policy, Question
from states.answers import Refusal
from states.pipeline import RunOnceFacts, may_begin

_KIND = "pipeline"


def unless_run_elsewhere(store: Store, home: Path, target: str, policy: Policy) -> MayBegin:
    """A check whether run-once steps that the journal does not know may be begun (RULES F10).

    A journal in a file knows only the steps that were run from this folder, so a person or the settings must say that
    nobody else runs them. A shared journal knows every step, except those that were run from this folder before the
    journal was shared.

    Args:
        store: where the journal of this run is kept.
        home: the folder in which a journal's file would be.
        target: the database, as the journal names it.
        policy: asked where the journal is a file.
    """
    file = FileStore(home)

    def check(steps: Sequence[Step]) -> Refusal | None:
        names = tuple(step.name for step in steps)
        facts = RunOnceFacts(names, str(store), store.shared)
        if store.shared:
            return may_begin(replace(facts, file=str(file), begun_in_file=_begun_in(file, target, steps)))
        return may_begin(replace(facts, agreed=policy.consents(Question(_KIND, None, ", ".join(names)))))

    return check


def _begun_in(file: FileStore, target: str, steps: Sequence[Step]) -> str | None:
    """The first of the steps that a run with this folder's own journal began; None if none did."""
    journal = file.find(target)
    if journal is None:
        return None
    with contextlib.closing(journal):
        known = begun(journal)
    return next((step.name for step in steps if step_key(step) in known), None)
