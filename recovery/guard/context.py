"""The context of a command: how its environment, folder and input differ from guard's own. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from recovery.guard.shell import UNKNOWN


@dataclass(frozen=True, slots=True)
class Context:
    """The changes that launchers, shells and scripts of package.json make for the command that they start.

    Attributes:
        folder: the working directory, relative to guard's own; None if it is unknown.
        assigned: the variables that are set, latest first; a value may hold `UNKNOWN`.
        files: `.env` files whose variables the command may see, relative to `folder`.
        layered: variables of the environment may be missing, or be overridden by those of files.
        nested: a shell or a script starts the command, so its standard input may not be guard's.
        unclear: reasons why the command may reach another database than the rest of this says.
    """

    folder: str | None = "."
    assigned: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()
    layered: bool = False
    nested: bool = False
    unclear: tuple[str, ...] = ()

    def assigning(self, assignment: str) -> "Context":
        """A copy with the assignment `NAME=value`."""
        name, _, value = assignment.partition("=")
        return replace(self, assigned=((name, value), *self.assigned))

    def reading(self, *files: str) -> "Context":
        """A copy that reads variables from these `.env` files, so the environment's need no longer come first."""
        return replace(self, files=(*self.files, *files), layered=True)

    def within(self, folder: str | None) -> "Context":
        """A copy with another working directory."""
        if folder is None or self.folder is None or UNKNOWN in folder or folder == "-":
            return replace(self, folder=None).doubting("the folder that it runs in is not known")
        return replace(self, folder=folder if folder.startswith("/") else f"{self.folder}/{folder}")

    def doubting(self, why: str) -> "Context":
        """A copy with one more reason for doubt about which database is reached."""
        return self if why in self.unclear else replace(self, unclear=(*self.unclear, why))


class Surroundings(Protocol):
    """What reading a command line needs from the disk."""

    def scripts(self, folder: str | None) -> tuple[str | None, Mapping[str, tuple[str, ...]]]:
        """The scripts of package.json that a package manager finds from `folder`, and the folder it runs them in.

        Returns:
            The folder, and the texts of each script by its name. For the folder None, the scripts of every package
            of the checkout, so a name can have several texts.
        """

    def real(self, word: str, folder: str | None) -> str:
        """The real path of a program, found through PATH and symbolic links; the word itself if there is none."""
