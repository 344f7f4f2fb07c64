"""Who may say yes: the configuration, --yes, or a person who types it."""

from collections.abc import Callable, Collection

from rich.console import Console
from rich.markup import escape

from recovery.engine import Question
from states.effects import Deploy, MarkApplied

#: What an effect leads to, so that nobody agrees to it unaware.
_CONSEQUENCES = {
    "applied": "Prisma will count this migration as done and never run its script.",
    "not_applied": "Prisma will run this migration's script from its beginning at the next deploy.",
    "deploy": "Prisma will run these scripts on production: {names}.",
}
_WORDS = {"applied": "applied", "not_applied": "rolled back", "deploy": "deploy"}


class Consent:
    """A policy: what is in `auto` needs no word, `yes` says it for all, else `ask` is answered in words."""

    def __init__(self, auto: Collection[str], *, yes: bool, ask: Callable[[str], str] | None, console: Console) -> None:
        """Takes who may say yes; `ask` shows a prompt and returns what was typed, None where nobody can be asked."""
        self._auto = auto
        self._yes = yes
        self._ask = ask
        self._console = console

    def consents(self, question: Question) -> bool:
        """See `Policy.consents`."""
        if self._yes or question.kind in self._auto:
            return True
        if self._ask is None:
            return False
        names = ", ".join(question.effect.migrations) if isinstance(question.effect, Deploy) else ""
        consequence = _CONSEQUENCES[question.kind].format(names=names)
        word = _WORDS["applied" if isinstance(question.effect, MarkApplied) else question.kind]
        self._console.print(f"\n  [bold]About to run:[/] {escape(question.command)}", highlight=False)
        self._console.print(f"  {escape(consequence)}", highlight=False)
        return self._ask(f"  Type “{word}” to go on, anything else to stop: ").strip() == word
