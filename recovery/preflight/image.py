"""The checks of the checkout where there is none: the folder comes from an image, and its scripts name it."""

from hashlib import sha256
from pathlib import Path

from recovery.preflight.expectation import VERCEL, Expectation
from recovery.prisma.migrations import read
from states.checks import held, refused, unknown
from states.facts import Check

IMAGE = "image"
_CHECKSUM = "sha256:"


def from_image(folder: Path, expected: Expectation) -> bool:
    """Whether the folder comes from an image: as the settings say, else if no folder above it is a checkout."""
    if expected.source is not None:
        return expected.source == IMAGE
    here = folder.resolve()
    return not any((each / ".git").exists() for each in (here, *here.parents))


def checksum(folder: Path) -> str:
    """The name of the folder's content, as `sha256:…`: of every migration's name and script.

    Raises:
        UsageError: the folder is none of Prisma's, or cannot be read.
    """
    lines = (f"{migration.name} {migration.checksum}\n" for migration in read(folder))
    return _CHECKSUM + sha256("".join(lines).encode()).hexdigest()


def image_checks(folder: Path, expected: Expectation) -> list[Check]:
    """`git.commit` and `git.clean` without git: the folder's checksum stands for the commit, and nothing is waived.

    Whether production was deployed from such a folder is told by the checksums in the ledger (`git.ledger`).
    """
    name, source = checksum(folder), str(folder)
    is_it = f"the migrations folder is {name}"
    clean = held("git.clean", "the source is an image, where nothing is left to commit", source)
    wanted = expected.commit
    if wanted is None or wanted == VERCEL:
        other = "vercel.commit compares the commit" if wanted else "no commit was demanded"
        return [held("git.commit", f"the source is an image; {is_it}; {other}", source), clean]
    if wanted == name:
        return [held("git.commit", f"{is_it}, as expected", source), clean]
    if wanted.startswith(_CHECKSUM):
        remedy = f"Use the image that was meant; or, if this one is, expect {name}."
        return [refused("git.commit", f"{is_it}, expected {wanted}", source, remedy), clean]
    seen = f"the source is an image, which does not tell whether it was built from {wanted}"
    remedy = f"Expect the folder's checksum instead: --expect-commit {name}"
    return [unknown("git.commit", seen, source, remedy), clean]
