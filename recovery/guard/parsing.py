"""Finding the Prisma commands in a command line, however they are started. Pure.

A launcher is not modelled with all its options: whatever stands before the word `prisma`, what stands behind it are
Prisma's arguments. So an unknown launcher hides no command; it only makes it unclear where the command goes.
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
#: Scripts that call each other twice grow beyond all bounds.
_MOST_TEXTS = 500
_MOST_DEEP = 20
#: Shell commands after which nothing is known of the environment.
_CHANGING = frozenset({".", "source", "eval", "unset", "alias", "trap", "set", "read", "declare", "typeset"})


@dataclass(frozen=True, slots=True)
class Invocation:
    """A Prisma command that would run, and what is around it."""

    command: PrismaCommand
    context: Context


@dataclass(frozen=True, slots=True)
class FoundCommands:
    """What a command line runs of Prisma.

    Attributes:
        invocations: in the order in which they were found.
        unclear: why there may be a dangerous command that can't be read.
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
    """Whether words of a dangerous command are in a text, quotes or not."""
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
        """One command: its launchers, then every word that could be Prisma."""
        before = len(self.invocations), len(self.unclear)
        words = (*words, "install") if words == ("yarn",) else words
        index, context, open_ended = self._head(words, context)
        for position in range(index, len(words)):
            word = words[position]
            if position == index or is_prisma(word):
                command = classify(words[position + 1 :], certain=not context.unclear)
                self.invocations.append(Invocation(command, context))
                if open_ended:  # words are put into it that stand in standard input
                    self.invocations.append(Invocation(classify([UNKNOWN]), context))
                # What stands before a second one was not read as a launcher.
                context = context.doubting("which word of the command is Prisma can't be told")
            if _is_text(word):
                self.text(word, context)
        nothing = before == (len(self.invocations), len(self.unclear))
        line = " ".join(words)
        if nothing and (UNKNOWN in line or "prisma" in line.lower()) and _dangerous_words(line):
            self.unclear.append("its words are those of a dangerous command, and how it starts Prisma can't be told")

    def _head(self, words: tuple[str, ...], context: Context) -> tuple[int, Context, bool]:
        """Where the first word is that is Prisma, and what the words before it do."""
        tool, index, open_ended = "", 0, False
        while index < len(words):
            word = words[index]
            name = word.rpartition("/")[2]
            # A package manager takes a script called `prisma` before the program, where it looks for one.
            if is_prisma(word) and (context.unclear or not self._is_script(word, tool, context)):
                self._scripts(word, words[index + 1 :], tool, context)
                break
            if _is_text(word):
                self.text(re.sub(r"^(?:--?[\w-]+=|-S)", "", word), context)
                self._scripts(word, tuple(word.split()[1:]), tool, context)
            elif word.startswith("-"):
                following = words[index + 1] if index + 1 < len(words) else ""
                context, taken = launchers.option(tool, word, following, context)
                # Rather take a value for Prisma than overlook it.
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
                context = context.doubting(f"what `{name.replace(UNKNOWN, '…')}` does to its environment can't be seen")
            index += 1
        return index, context, open_ended

    def text(self, text: str, context: Context) -> None:
        """A text that a shell reads, or may read."""
        reading = (text, context.folder)
        if reading in self._reading:  # a word of the shell that is no other when it is read again, as `$`
            return
        self._texts += 1
        if self._texts > _MOST_TEXTS or (len(self._reading) > _MOST_DEEP and _dangerous_words(text)):
            self.unclear.append("its scripts or texts hold too many others")
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
                self.unclear.append(f"a shell's text can't be read ({error})")
            return
        for index, segment in enumerate(segments):
            after = self._segment(segment, here)
            if after != here and not _surely(segments, index):
                after = after.doubting("whether the shell comes to a `cd` or `export` can't be told")
            here = after
        dangerous = any(each.command.danger for each in self.invocations[start:])
        if not dangerous and "prisma" in text.lower() and _dangerous_words(text):
            self.unclear.append("a text names Prisma and a dangerous command, and how it runs them can't be told")

    def _segment(self, segment: Segment, here: Context) -> Context:
        """One command of a text; what is around those that follow."""
        words = segment.texts
        if not words:
            return here
        own = here
        while words and is_assignment(words[0]):
            own, words = own.assigning(words[0]), words[1:]
        if not words:
            # Whether Prisma sees it depends on whether it was exported before.
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
            return here.doubting(f"what `{name}` changes in the shell can't be seen")
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
        """Whether `word` names scripts of package.json; unless only to `look`, what they run is found too."""
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
    """Whether `/pattern/`, as pnpm takes it for a script's name, selects a script."""
    if len(pattern) < len("//x") or not pattern.startswith("/") or not pattern.endswith("/"):
        return False
    try:
        return re.search(pattern[1:-1], name) is not None
    except re.error:
        return True


def _surely(segments: tuple[Segment, ...], index: int) -> bool:
    """Whether what a segment changes holds for all that follow: in the same shell, without a condition."""
    if any(each.keyword or each.ended_by in ("(", ")", "|", "|&", "&", "||") for each in segments):
        return False
    chained = all(each.ended_by in ("&&", "") for each in segments[index:])
    alone = index == 0 or segments[index - 1].ended_by != "&&"
    # What follows in a chain runs only if all before it succeeded; `cd` can fail.
    return chained or (alone and segments[index].texts[:1] == ("export",))


def _takes_the_rest(words: tuple[str, ...], index: int, tool: str) -> bool:
    """Whether all that stands behind a script's name is the script's; in doubt not."""
    before, name = words[index - 1], words[index].rpartition("/")[2]
    return tool in launchers.SINGLE and (
        before in ("run", "run-script") or (before == tool and name not in launchers.KNOWN)
    )


def _is_text(word: str) -> bool:
    return re.search(r"[\s$`]", word) is not None
