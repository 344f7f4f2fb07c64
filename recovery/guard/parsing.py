"""Finding the Prisma commands in a command line, however they are started. Pure.

Launchers are not modelled with all their options: whatever stands before the word `prisma`, the words after it are
Prisma's arguments. So an unknown launcher hides no command; it only makes it unclear which database is reached.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from recovery.guard import launchers
from recovery.guard.commands import PrismaCommand, classify
from recovery.guard.context import Context, Surroundings
from recovery.guard.shell import UNKNOWN, Segment, split

_PRISMA = re.compile(
    r"(?:.*/|.*npm:)?(?:@prisma/cli|prisma2?)(?:@[^/]*)?(?:\.(?:cmd|ps1|exe|[cm]?js))?"
    r"|(?:.*[/:])?(?:prisma2?|@prisma/cli)(?:@[^/]*)?/build(?:/index(?:\.js)?)?/?",
    re.IGNORECASE | re.DOTALL,
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=", re.ASCII)
_DANGEROUS_WORDS = re.compile(
    r"\bdb\b.{0,200}?\b(?:push|execute)\b|\bmigrate\b.{0,200}?\b(?:dev|reset)\b|--accept-data-loss|--force-reset",
    re.IGNORECASE | re.DOTALL,
)
#: Limits, since the number of texts doubles with each level of scripts that call another one twice.
_MOST_TEXTS = 500
_MOST_DEEP = 20
#: Shell commands after which the environment is unknown.
_CHANGING = frozenset({".", "source", "eval", "unset", "alias", "trap", "set", "read", "declare", "typeset"})


@dataclass(frozen=True, slots=True)
class Invocation:
    """A Prisma command that would run, and its context."""

    command: PrismaCommand
    context: Context


@dataclass(frozen=True, slots=True)
class FoundCommands:
    """The Prisma commands of a command line.

    Attributes:
        invocations: the commands, in the order in which they were found.
        unclear: reasons why there may be a dangerous command that was not found.
    """

    invocations: tuple[Invocation, ...]
    unclear: tuple[str, ...]


def is_prisma(word: str) -> bool:
    """Whether a word starts Prisma: `prisma`, `prisma@6`, a path of the binary or of the package's own script."""
    return _PRISMA.fullmatch(word) is not None


def is_assignment(word: str) -> bool:
    """Whether a word sets a variable, as `NAME=value`."""
    return _ASSIGNMENT.match(word) is not None


def find(argv: Sequence[str], surroundings: Surroundings) -> FoundCommands:
    """The Prisma commands that `argv` runs, through launchers, shells and scripts of package.json."""
    finder = _Finder(surroundings)
    finder.command(tuple(argv), Context())
    return FoundCommands(tuple(finder.invocations), tuple(dict.fromkeys(finder.unclear)))


def _dangerous_words(text: str) -> bool:
    """Whether a text contains the words of a dangerous command, quoted or not."""
    return _DANGEROUS_WORDS.search(re.sub(r"[\"'`\\]", "", text)) is not None


class _Finder:
    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._running: list[tuple[str | None, str]] = []
        self._reading: list[tuple[str, str | None]] = []
        self._texts = 0
        self.invocations: list[Invocation] = []
        self.unclear: list[str] = []

    def command(self, words: tuple[str, ...], context: Context) -> None:
        """Reads one command: its launchers, then every word that could be Prisma."""
        before = len(self.invocations), len(self.unclear)
        words = (*words, "install") if words == ("yarn",) else words
        index, context, open_ended = self._head(words, context)
        for position in range(index, len(words)):
            word = words[position]
            if position == index or is_prisma(word):
                command = classify(words[position + 1 :], certain=not context.unclear)
                self.invocations.append(Invocation(command, context))
                if open_ended:  # `xargs` and the like append words from standard input
                    self.invocations.append(Invocation(classify([UNKNOWN]), context))
                # The words before a second word that could be Prisma were not read as launchers.
                context = context.doubting("it is unclear which word of the command starts Prisma")
            if _is_text(word):
                self.text(word, context)
        nothing = before == (len(self.invocations), len(self.unclear))
        line = " ".join(words)
        if nothing and (UNKNOWN in line or "prisma" in line.lower()) and _dangerous_words(line):
            self.unclear.append("it has the words of a dangerous command, and it is unclear how it starts Prisma")

    def _head(self, words: tuple[str, ...], context: Context) -> tuple[int, Context, bool]:
        """Reads the words before Prisma.

        Returns:
            The position of the first word that is Prisma, the context that the words before it make, and whether
            words from standard input are appended to the command.
        """
        tool, index, open_ended = "", 0, False
        while index < len(words):
            word = words[index]
            name = word.rpartition("/")[2]
            # For a package manager, a script called `prisma` wins over the program of that name.
            if is_prisma(word) and (context.unclear or not self._is_script(word, tool, context)):
                self._scripts(word, words[index + 1 :], tool, context)
                break
            if _is_text(word):
                self.text(re.sub(r"^(?:--?[\w-]+=|-S)", "", word), context)
                self._scripts(word, tuple(word.split()[1:]), tool, context)
            elif word.startswith("-"):
                following = words[index + 1] if index + 1 < len(words) else ""
                context, taken = launchers.option(tool, word, following, context)
                # In doubt the word is Prisma and not the option's value: no command must be overlooked.
                hidden = is_prisma(following) and not launchers.is_package(word)
                index += taken and not (hidden or _is_text(following))
            elif is_assignment(word) and tool in launchers.ASSIGNING:
                context = context.assigning(word)
            elif self._scripts(word, words[index + 1 :], tool, context) and _takes_the_rest(words, index, tool):
                return len(words), context, open_ended
            elif name in launchers.KNOWN:
                tool = launchers.tool(name, tool)
                open_ended = open_ended or name in launchers.FROM_INPUT
                context = launchers.entering(name, context)
            elif self._is_script(word, tool, context) or re.fullmatch(r"\d+(?:\.\d+)?[smhd]?", word):
                pass
            elif is_prisma(self._surroundings.real(word, context.folder)):
                break
            else:
                context = context.doubting(f"`{name.replace(UNKNOWN, '…')}` may change the environment")
            index += 1
        return index, context, open_ended

    def text(self, text: str, context: Context) -> None:
        """Reads a text that a shell runs, or may run."""
        reading = (text, context.folder)
        if reading in self._reading:  # reading it once more would give the same text again, as for `$`
            return
        self._texts += 1
        if self._texts > _MOST_TEXTS or (len(self._reading) > _MOST_DEEP and _dangerous_words(text)):
            self.unclear.append("it has too many scripts or shell texts inside each other")
            return
        if len(self._reading) > _MOST_DEEP:
            return
        self._reading.append(reading)
        self._read(text, context)
        self._reading.pop()

    def _read(self, text: str, context: Context) -> None:
        start = len(self.invocations)
        here = replace(context, nested=True)
        try:
            segments = split(text)
        except ValueError as error:
            if _dangerous_words(text):
                self.unclear.append(f"a shell text can't be read ({error})")
            return
        for index, segment in enumerate(segments):
            after = self._segment(segment, here)
            if after != here and not _surely(segments, index):
                after = after.doubting("it is unclear whether the shell runs a `cd` or `export` before it")
            here = after
        dangerous = any(each.command.danger for each in self.invocations[start:])
        if not dangerous and "prisma" in text.lower() and _dangerous_words(text):
            self.unclear.append("a shell text names Prisma and a dangerous command, and it is unclear how they are run")

    def _segment(self, segment: Segment, here: Context) -> Context:
        """Reads one command of a shell's text; returns the context of the commands after it."""
        words = segment.texts
        if not words:
            return here
        own = here
        while words and is_assignment(words[0]):
            own, words = own.assigning(words[0]), words[1:]
        if not words:
            # Prisma sees the variable only if it was exported before.
            return own.doubting("a variable is set in the shell")
        name, arguments = words[0], words[1:]
        if name in ("cd", "pushd"):
            return here.within(arguments[-1] if arguments else None)
        if name == "export":
            for word in filter(is_assignment, arguments):
                here = here.assigning(word)
            return here
        if name in _CHANGING:
            if name == "eval":
                self.text(" ".join(arguments), here)
            return here.doubting(f"`{name}` may change the shell's environment")
        self.command(words, own)
        return here

    def _names(self, word: str, tool: str, context: Context) -> list[str]:
        if tool not in launchers.RUNNERS or not word:
            return []
        _, scripts = self._surroundings.scripts(context.folder)
        first = next(iter(word.split()), "")
        wanted = re.sub(r"^(?:npm|pnpm|yarn|bun|node):", "", first)
        wanted = wanted.replace(UNKNOWN, "")
        known = launchers.LIFECYCLE.get(wanted, ())
        others = [name for name in scripts if name == wanted or fnmatchcase(name, wanted) or _selects(wanted, name)]
        return [*(name for name in known if any(f"{when}{name}" in scripts for when in ("pre", "", "post"))), *others]

    def _is_script(self, word: str, tool: str, context: Context) -> bool:
        """Whether `word` names scripts of package.json."""
        return bool(self._scripts(word, (), tool, context, look=True))

    def _scripts(self, word: str, rest: tuple[str, ...], tool: str, context: Context, *, look: bool = False) -> bool:
        """Whether `word` names scripts of package.json; reads those scripts too, unless only to `look`."""
        names = self._names(word, tool, context)
        if look or not names:
            return bool(names)
        folder, scripts = self._surroundings.scripts(context.folder)
        inside = context if folder == context.folder else replace(context, folder=folder)
        arguments = rest[1:] if rest[:1] == ("--",) else rest
        for name in names:
            for each in (f"pre{name}", name, f"post{name}"):
                if (folder, each) in self._running:
                    continue
                self._running.append((folder, each))
                for text in scripts.get(each, ()):
                    more = f" {shlex.join(arguments)}" if arguments and each == name else ""
                    self.text(text + more, inside)
                self._running.pop()
        return True


def _selects(pattern: str, name: str) -> bool:
    """Whether `/pattern/`, a regular expression that pnpm takes in the place of a script's name, selects a script."""
    if len(pattern) < len("//x") or not pattern.startswith("/") or not pattern.endswith("/"):
        return False
    try:
        return re.search(pattern[1:-1], name) is not None
    except re.error:
        return True


def _surely(segments: tuple[Segment, ...], index: int) -> bool:
    """Whether a segment's changes certainly hold for all later ones: in the same shell, and without a condition."""
    if any(each.keyword or each.ended_by in ("(", ")", "|", "|&", "&", "||") for each in segments):
        return False
    chained = all(each.ended_by in ("&&", "") for each in segments[index:])
    alone = index == 0 or segments[index - 1].ended_by != "&&"
    # In a chain of `&&` a segment runs only if all before it succeeded. Without one, `cd` can fail; `export` can't.
    return chained or (alone and segments[index].texts[:1] == ("export",))


def _takes_the_rest(words: tuple[str, ...], index: int, tool: str) -> bool:
    """Whether all words after a script's name certainly are the script's arguments."""
    before, name = words[index - 1], words[index].rpartition("/")[2]
    return tool in launchers.SINGLE and (
        before in ("run", "run-script") or (before == tool and name not in launchers.KNOWN)
    )


def _is_text(word: str) -> bool:
    return re.search(r"[\s$`]", word) is not None
