"""What a Prisma command does, from its arguments alone. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from recovery.guard.shell import UNKNOWN


class Danger(StrEnum):
    """Why a command must never meet production."""

    #: It may reset the database, and makes migrations from its state.
    MIGRATE_DEV = "migrate dev"
    #: It drops everything.
    MIGRATE_RESET = "migrate reset"
    #: It changes the schema without a migration.
    DB_PUSH = "db push"
    #: It runs SQL, which may write to the ledger.
    DB_EXECUTE = "db execute"
    #: It has an option that accepts the loss of data.
    DATA_LOSS = "data loss"
    #: Its words are computed by a shell, so it could be any command.
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class PrismaCommand:
    """A Prisma command. Of a repeated option all values are kept, since which of them counts is up to Prisma.

    Attributes:
        danger: why the command must never meet production; None for a harmless one.
        shown: the command for people, without its options.
        urls: values of `--url`.
        schemas: values of `--schema`.
        configs: values of `--config`.
        files: values of `--file`.
        stdin: the command reads SQL from standard input.
        exact: Prisma certainly reads the options as we do.
        bare: further arguments would make it another command, as for `prisma db`.
    """

    danger: Danger | None
    shown: str
    urls: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    stdin: bool = False
    exact: bool = True
    bare: bool = False


_DANGEROUS = {
    ("migrate", "dev"): Danger.MIGRATE_DEV,
    ("migrate", "reset"): Danger.MIGRATE_RESET,
    ("db", "push"): Danger.DB_PUSH,
    ("db", "execute"): Danger.DB_EXECUTE,
}
#: Commands that need a second word.
_GROUPS = frozenset({"migrate", "db"})
_DATA_LOSS = frozenset({"--accept-data-loss", "--force-reset"})
_HELP = frozenset({"--help", "-h"})
#: Options of Prisma 3 to 7, of all its commands, whose value is the next word.
_VALUED = frozenset(
    {
        "--schema", "--config", "--url", "--file", "--name", "-n", "--applied", "--rolled-back", "--output",
        "--shadow-database-url", "--from-url", "--to-url", "--from-schema-datamodel", "--to-schema-datamodel",
        "--from-schema-datasource", "--to-schema-datasource", "--from-schema", "--to-schema", "--from-migrations",
        "--to-migrations", "--from-local-d1", "--to-local-d1", "--local-d1", "--generator", "--port", "-p",
        "--hostname", "--browser", "-b", "--datasource-provider", "--generator-provider", "--preview-features",
        "--schemas", "--composite-type-depth", "--telemetry-information", "-o",
    }
)  # fmt: skip


def classify(arguments: Iterable[str], *, certain: bool = True) -> PrismaCommand:
    """Reads the arguments of `prisma` as a command.

    Options count wherever they stand. The word after an option that takes a value is read both as that value and as
    a word of the command, in case this version of Prisma doesn't know the option.

    Args:
        arguments: the words after `prisma`.
        certain: all of them are certainly Prisma's, so a `--help` among them makes any command harmless.
    """
    given = tuple(arguments)
    options: dict[str, list[str]] = {}
    words: list[str] = []
    rest = iter(given)
    for word in rest:
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        if equals:
            options.setdefault(name, []).append(value)
        elif name in _VALUED:
            options.setdefault(name, []).extend(_next(rest))
        else:
            options.setdefault(name, [])
    loose = [word for word in given if not word.startswith("-")]
    danger = _danger(words) or _danger(loose)
    told = any(word.partition("=")[0] in _DATA_LOSS for word in given)
    if told and danger in (None, Danger.OPEN, Danger.DB_EXECUTE):
        danger = Danger.DATA_LOSS
    # Each level of Prisma's commands removes one `--` and reads on; a word that a shell computes can hold one.
    exact = "--" not in given[1:] and not any(UNKNOWN in word for word in given)
    if certain and exact and "--" not in given and _HELP & set(given):
        danger = None
    return PrismaCommand(
        danger,
        _shown(words),
        urls=tuple(options.get("--url", ())),
        schemas=tuple(options.get("--schema", ())),
        configs=tuple(options.get("--config", ())),
        files=tuple(options.get("--file", ())),
        stdin="--stdin" in options,
        exact=exact,
        bare=not words or (len(words) == 1 and words[0].casefold() in _GROUPS),
    )


def _next(rest: Iterator[str]) -> Iterator[str]:
    for value in rest:
        yield value
        return


def _danger(words: list[str]) -> Danger | None:
    first, second = [*(word.casefold() for word in words[:2]), "", ""][:2]
    if UNKNOWN in first or (first in _GROUPS and UNKNOWN in second):
        return Danger.OPEN
    return _DANGEROUS.get((first, second))


def _shown(words: list[str]) -> str:
    known = [word for word in words[:2] if UNKNOWN not in word]
    return " ".join(["prisma", *known])
