"""A migration's script, apart from where it was found."""

from dataclasses import dataclass

from states.comparison import lines


@dataclass(frozen=True, slots=True)
class Script:
    """A migration's name, the SHA-256 of the script that ran, and its text."""

    migration: str
    checksum: str
    text: str

    def same_as(self, other: "Script") -> bool:
        """Whether the two texts are one, but for line ends, which a checkout may change and Prisma ignores."""
        return lines(self.text) == lines(other.text)
