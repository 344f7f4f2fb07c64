"""Who may say yes: the configuration, --yes, or a person who types it."""

from collections.abc import Callable, Collection

from recovery.ports import Question
from states.effects import Deploy, Effect, MarkApplied, MarkRolledBack

#: The word to type for each effect.
_WORDS: dict[type[Effect], str] = {Deploy: "deploy", MarkApplied: "applied", MarkRolledBack: "rolled back"}


class Consent:
    """A policy: what is in `auto` needs no word, `yes` says it for all, else `ask` is answered in words.

    What it is about, and what follows from it, was told before: `EffectProposed`.
    """

    def __init__(self, auto: Collection[str], *, yes: bool, ask: Callable[[str], str] | None) -> None:
        """Takes who may say yes; `ask` shows a prompt and returns what was typed, None where nobody can be asked."""
        self._auto = auto
        self._yes = yes
        self._ask = ask

    def consents(self, question: Question) -> bool:
        """See `Policy.consents`."""
        if self._yes or question.kind in self._auto:
            return True
        if self._ask is None:
            return False
        word = _WORDS[type(question.effect)]
        return self._ask(f"  Type “{word}” to go on, anything else to stop: ").strip() == word
