"""Whether a dangerous command would meet production: compares the databases it could reach with the pinned ones."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from recovery.errors import RecoveryError
from recovery.guard.commands import Danger
from recovery.guard.decision import Facts, decide, not_pinned, unreadable
from recovery.guard.destinations import destinations
from recovery.guard.named import pinned
from recovery.guard.parsing import Invocation
from recovery.guard.places import Match, Pin, compare, look_up
from recovery.guard.shell import UNKNOWN

#: Longer SQL is not parsed, and counts as a write.
_MOST_BYTES = 16 * 2**20


class Meeting:
    """Judges the dangerous commands of one command line."""

    def __init__(self, cwd: Path, environ: Mapping[str, str], read_stdin: Callable[[], bytes]) -> None:
        """Takes guard's working directory, its environment, and a function that reads all of standard input."""
        self._cwd = cwd
        self._environ = environ
        self._read_stdin = read_stdin
        self._addresses = cache(look_up)

    def judge(
        self, dangerous: Sequence[Invocation], unclear: tuple[str, ...], *, strict: bool
    ) -> tuple[RecoveryError | None, str]:
        """Judges whether the commands may run.

        Args:
            dangerous: the dangerous commands that were found.
            unclear: reasons why there may be more of them.
            strict: refuse also if no database is known to be production.

        Returns:
            The refusal, or None; and the warning, or an empty text.

        Raises:
            UsageError: as `pinned`.
            JournalError: as `pinned`.
        """
        pins = pinned(self._folders(dangerous))
        if not pins:
            shown = dangerous[0].command.shown if dangerous else "A command in this"
            warning = f"`{shown}` must never meet production, but no production database is set: set [production]."
            return (not_pinned(shown), "") if strict else (None, warning)
        if unclear:
            return unreadable(unclear, _said(pins)), ""
        refusals = (decide(self._facts(each, pins)) for each in dangerous)
        return next((each for each in refusals if each is not None), None), ""

    def _folders(self, dangerous: Sequence[Invocation]) -> tuple[Path, ...]:
        """The folders that may have settings: guard's own, each command's, and those of each schema."""
        found = {self._cwd: None}
        for each in dangerous:
            folder = (self._cwd / (each.context.folder or ".")).absolute()
            schemas = [folder / named for named in each.command.schemas if UNKNOWN not in named]
            found |= dict.fromkeys((folder, *(above for schema in schemas for above in list(schema.parents)[:2])))
        return tuple(found)

    def _facts(self, invocation: Invocation, pins: tuple[Pin, ...]) -> Facts:
        command = invocation.command
        reached = destinations(command, invocation.context, self._cwd, self._environ)
        unclear = list(reached.unclear)
        production, pinned_by = "", pins
        for candidate in reached.candidates:
            for pin in pins:
                answer, what = compare(candidate.url, pin, self._addresses)
                if answer is Match.SAME and not production:
                    production, pinned_by = f"{candidate.source} leads to {what}", (pin,)
                elif answer is Match.UNKNOWN:
                    unclear.append(f"{candidate.source}: {what}")
        danger = command.danger or Danger.OPEN
        meets = bool(production or unclear)
        writes = self._writes(invocation) if meets and danger is Danger.DB_EXECUTE else ""
        return Facts(danger, command.shown, production, _said(pinned_by), tuple(dict.fromkeys(unclear)), writes)

    def _writes(self, invocation: Invocation) -> str:
        """Why the SQL of `db execute` may write to the ledger; empty if it surely doesn't."""
        from recovery.guard.ledger_write import ledger_write

        command, context = invocation.command, invocation.context
        if not command.files and not command.stdin:
            return "it is unclear where its SQL comes from"
        if command.stdin and context.nested:
            return "its SQL comes through a shell or a script"
        sources: list[bytes] = []
        for file in command.files:
            path = self._cwd / (context.folder or ".") / file
            if UNKNOWN in file or context.folder is None or not path.is_file():
                return "its SQL is in no file that can be read here"
            try:
                sources.append(path.read_bytes())
            except OSError as error:
                return f"{path} cannot be read ({error.strerror})"
        if command.stdin:
            sources.append(self._read_stdin())
        if sum(map(len, sources)) > _MOST_BYTES:
            return "its SQL is too long to be checked"
        return next((why for sql in sources if (why := ledger_write(sql))), "")


def _said(pins: tuple[Pin, ...]) -> str:
    return ", ".join(f"{pin}, as {pin.source} says" for pin in pins)
