"""Puts guard before the Prisma commands in a package.json's scripts, and leaves all else as it is. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from recovery.guard.parsing import find, is_assignment
from recovery.guard.shell import Segment, Word, split

#: The words that are put before a command.
GUARD = "prisma-recovery guard -- "
_BLANK = re.compile(r"[ \t\r\n]*")
#: Commands of the shell itself, which no other program can start.
_BUILTINS = frozenset({"cd", "export", ".", "source", "eval", "set", "exec", "unset", "pushd", "alias", "command"})


class _Alone:
    """`Surroundings` without scripts: a script that a command calls is guarded where it stands."""

    def scripts(self, folder: str | None) -> tuple[str | None, Mapping[str, tuple[str, ...]]]:
        """See `Surroundings.scripts`."""
        return folder, {}

    def real(self, word: str, folder: str | None) -> str:  # noqa: ARG002 - see `Surroundings.real`
        """See `Surroundings.real`."""
        return word


def guarded(script: str) -> str | None:
    """A script with guard before each command that may be dangerous.

    A harmless command stays as it is, since `prisma generate` has to run where prisma-recovery is not installed. A
    command that is guarded already stays too.

    Returns:
        The script; None if it has a dangerous command and is too complex to edit.
    """
    try:
        segments = split(script)
    except ValueError:
        found = find(("sh", "-c", script), _Alone())
        return None if found.unclear or found.invocations else script
    starts = []
    for segment in segments:
        word = _command(segment)
        if word is not None and not _is_guarded(segment) and _to_guard(segment, word):
            if word.text in _BUILTINS:
                return None
            starts.append(word.start)
    for start in reversed(starts):
        script = f"{script[:start]}{GUARD}{script[start:]}"
    return script


def edited(package: str) -> tuple[str, tuple[str, ...]]:
    """A package.json with its scripts guarded. Every other character of it stays.

    Args:
        package: the file's text.

    Returns:
        The text, and the names of scripts that have a dangerous command and are too complex to edit.

    Raises:
        ValueError: the text is not a JSON object whose `scripts` are strings.
    """
    parsed = json.loads(package.removeprefix("\ufeff"))
    scripts = parsed.get("scripts", {}) if isinstance(parsed, dict) else None
    if not isinstance(scripts, dict) or not all(isinstance(text, str) for text in scripts.values()):
        raise ValueError("it is not an object whose scripts are strings")
    unclear = []
    parts, position = [], 0
    for name, start, end in _script_values(package):
        old = json.loads(package[start:end])
        new = guarded(old)
        if new is None:
            unclear.append(name)
        elif new != old:
            parts += [package[position:start], _quoted(new, package[start:end])]
            position = end
    return "".join([*parts, package[position:]]), tuple(unclear)


def _quoted(text: str, like: str) -> str:
    """`text` as JSON, escaped in the same way as the string that it replaces."""
    return json.dumps(text, ensure_ascii=like.isascii())


def _command(segment: Segment) -> Word | None:
    """The word that names the program, after any assignments."""
    return next((word for word in segment.words if not is_assignment(word.text)), None)


def _is_guarded(segment: Segment) -> bool:
    words = [word.text.rpartition("/")[2] for word in segment.words]
    return any(pair == ("prisma-recovery", "guard") for pair in pairwise(words))


def _to_guard(segment: Segment, word: Word) -> bool:
    words = segment.texts[segment.words.index(word) :]
    found = find(words, _Alone())
    # Arguments after the script's name can make a bare command dangerous, as `npm run prisma db push`.
    return bool(found.unclear) or any(each.command.danger or each.command.bare for each in found.invocations)


def _script_values(package: str) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of each value of the outermost `scripts`, quotes included."""
    for key, start, _ in _members(package, _skip(package, 1 if package.startswith("\ufeff") else 0)):
        if key == "scripts":
            yield from _members(package, start)


def _members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Key, start and end of the value of each member of the object that begins at `start`; the JSON must be valid."""
    decoder = json.JSONDecoder()
    at = _skip(text, start + 1)
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        begin = _skip(text, _skip(text, at) + 1)
        _, at = decoder.raw_decode(text, begin)
        yield key, begin, at
        at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()
