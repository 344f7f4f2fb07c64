"""Who may say yes: the settings, --yes, or a person who types it."""

from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

from recovery.ports import Policy, Question
from states.effects import Deploy, MarkApplied, MarkRolledBack

#: What an effect leads to, so that nobody agrees to it unaware.
_APPLIED = "Prisma will count this migration as done and never run its script."
_PENDING_APPLIED = (
    "This migration was never attempted, but is wholly in production. "
    "Prisma will count it as done and never run its script."
)
_AGAIN = "Prisma will run this migration's script from its beginning at the next deploy."
_WITHDRAWN = "Prisma will forget the attempt that failed; the migration stays applied by its other attempt."
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
        about = "About to run"
        match question.effect:
            case Deploy(migrations):
                word, consequence = "deploy", f"Prisma will run these scripts on production: {', '.join(migrations)}."
            case MarkApplied():
                evidence = question.evidence
                pending = evidence is not None and not evidence.attempted
                word, consequence = "applied", _PENDING_APPLIED if pending else _APPLIED
            case MarkRolledBack():
                word, consequence = "rolled back", _WITHDRAWN if question.kind == "applied" else _AGAIN
            case None:
                about, word, consequence = "About to run, once", question.kind, _ONLY_HERE
        # Not wrapped here: a command that is copied from a terminal has to be one line.
        self._console.print(f"\n  [bold]{about}:[/] {escape(question.command)}", highlight=False, soft_wrap=True)
        self._console.print(f"  {escape(consequence)}", highlight=False)
        return self._ask(f"  Type “{word}” to go on, anything else to stop: ").strip() == word
