"""What stands around a command: how its environment, folder and input differ from those of guard itself. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from recovery.guard.shell import UNKNOWN


@dataclass(frozen=True, slots=True)
class Context:
    """What a launcher, a shell or a script of package.json changes for the command in it.

    Attributes:
        folder: the working directory, relative to guard's own; None where that can't be told.
        assigned: variables that are set for it, later ones first; a value may hold `UNKNOWN`.
        files: `.env` files whose variables it may see, relative to `folder`.
        layered: variables of the environment may be missing, or be overridden by those of files.
        nested: a shell or a script starts it, so its standard input may be another than guard's.
        unclear: what else may change where it goes, and can't be seen.
    """

    folder: str | None = "."
    assigned: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()
    layered: bool = False
    nested: bool = False
    unclear: tuple[str, ...] = ()

    def assigning(self, assignment: str) -> "Context":
        """The same with `NAME=value`."""
        name, _, value = assignment.partition("=")
        return replace(self, assigned=((name, value), *self.assigned))

    def reading(self, *files: str) -> "Context":
        """The same with variables of `.env` files; without any, it is open whether the environment's come first."""
        return replace(self, files=(*self.files, *files), layered=True)

    def within(self, folder: str | None) -> "Context":
        """The same in another folder."""
        if folder is None or self.folder is None or UNKNOWN in folder or folder == "-":
            return replace(self, folder=None).doubting("the folder that it runs in is not known")
        return replace(self, folder=folder if folder.startswith("/") else f"{self.folder}/{folder}")

    def doubting(self, why: str) -> "Context":
        """The same with something that can't be seen."""
        return self if why in self.unclear else replace(self, unclear=(*self.unclear, why))


class Surroundings(Protocol):
    """What of the disk matters to how a command line is read."""

    def scripts(self, folder: str | None) -> tuple[str | None, Mapping[str, tuple[str, ...]]]:
        """The scripts that a package manager finds in `folder`, and the folder that it runs them in.

        Of None, those of every package of the checkout; so a name can have several texts.
        """

    def real(self, word: str, folder: str | None) -> str:
        """The path that a program's name leads to, through PATH and links; the word itself if there is none."""
