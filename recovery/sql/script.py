"""A migration's script, apart from where it was found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Script:
    """A migration's name, the SHA-256 of the script that ran, and its text."""

    migration: str
    checksum: str
    text: str
