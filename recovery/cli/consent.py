"""Consent to changes: from the settings, from `--yes` or `--repair`, or typed by a person."""

from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

from recovery.run.ports import Policy, Question
from states.effects import Deploy, EndOrphan, MarkApplied, MarkRolledBack, PrismaEffect, Repair

#: The word to type for each effect; its consequence was shown before (`EffectProposed`).
_WORDS: dict[type[PrismaEffect], str] = {Deploy: "deploy", MarkApplied: "applied", MarkRolledBack: "rolled back"}
_ONLY_HERE = "The journal is a file on this machine, so it does not show whether another machine has run this step."


class Consent:
    """The command line's policy: first `settled`, then `yes` for every change that the evidence decides, then a person.

    `yes` does not cover the steps of the pipeline: no evidence shows that nobody else has run them. Nor does it cover a
    repair or the end of an orphan, which have flags of their own.
    """

    def __init__(
        self,
        settled: Policy,
        *,
        yes: bool,
        ask: Callable[[str], str] | None,
        console: Console,
        repair: bool = False,
        end_orphan: int | None = None,
    ) -> None:
        """Takes the sources of consent.

        Args:
            settled: the policy from the settings.
            yes: `--yes` was given.
            repair: `--repair` was given.
            end_orphan: the session that `--end-orphan` names.
            ask: shows a prompt and returns the typed answer; None where nobody can be asked.
            console: shows what a step would run.
        """
        self._settled = settled
        self._yes = yes
        self._ask = ask
        self._console = console
        self._repair = repair
        self._end_orphan = end_orphan

    def would_consent(self, question: Question) -> bool:
        """See `Foreseeing.would_consent`."""
        return self._given(question) or self._settled.consents(question)

    def consents(self, question: Question) -> bool:
        """See `Policy.consents`."""
        if self.would_consent(question):
            return True
        if self._ask is None:
            return False
        if question.effect is None:
            word = question.kind
            self._console.print(f"\n  [bold]To be run, once:[/] {escape(question.command)}", soft_wrap=True)
            self._console.print(f"    {_ONLY_HERE}")
        elif isinstance(question.effect, Repair):
            word = question.effect.way
        elif isinstance(question.effect, EndOrphan):
            word = "end"
        else:
            word = "baseline" if question.kind == "baseline" else _WORDS[type(question.effect)]
        return self._ask(f"  Type “{word}” to go on, anything else to stop: ").strip() == word

    def _given(self, question: Question) -> bool:
        """Whether a flag agrees."""
        match question.effect:
            case None:
                return False
            case Repair():
                return self._repair
            case EndOrphan(pid):
                return pid == self._end_orphan
            case _:
                return self._yes
