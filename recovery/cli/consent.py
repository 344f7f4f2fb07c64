"""Who may say yes: the settings, --yes, or a person who types it."""

from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

from recovery.run.ports import Policy, Question
from states.effects import Deploy, Effect, MarkApplied, MarkRolledBack

#: The word to type for each effect; what it leads to was told before (`EffectProposed`).
_WORDS: dict[type[Effect], str] = {Deploy: "deploy", MarkApplied: "applied", MarkRolledBack: "rolled back"}
_ONLY_HERE = "The journal is a file here: whether another machine has run it is not known."


class Consent:
    """A policy: what `settled` agrees to needs no word, `yes` says it for all that the evidence decides, else a person.

    `yes` does not say that nobody else has run the pipeline's steps: that no evidence decides.
    """

    def __init__(self, settled: Policy, *, yes: bool, ask: Callable[[str], str] | None, console: Console) -> None:
        """Takes who may say yes; `ask` shows a prompt and returns what was typed, None where nobody can be asked."""
        self._settled = settled
        self._yes = yes
        self._ask = ask
        self._console = console

    def consents(self, question: Question) -> bool:
        """See `Policy.consents`."""
        if (self._yes and question.effect is not None) or self._settled.consents(question):
            return True
        if self._ask is None:
            return False
        if question.effect is None:
            word = question.kind
            self._console.print(f"\n  [bold]To be run, once:[/] {escape(question.command)}", soft_wrap=True)
            self._console.print(f"    {_ONLY_HERE}")
        else:
            word = _WORDS[type(question.effect)]
        return self._ask(f"  Type “{word}” to go on, anything else to stop: ").strip() == word
