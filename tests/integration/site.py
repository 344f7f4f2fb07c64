"""A production with a checkout, and what preflight says of it."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recovery.app.observer import Observer
from recovery.journal.confirmations import Confirmation
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.preflight.expectation import Expectation
from states.facts import Check
from tests.acceptance.scene import Scene
from tests.integration.rules.production import Production
from tests.platform.conftest import Platform
from tests.staging import Case

NAME = "20260102_before"
SCRIPT = "CREATE TABLE u (id int PRIMARY KEY);\nCREATE TABLE v (id int PRIMARY KEY);\n"
EDITED = SCRIPT.replace("CREATE TABLE v", "-- edited later\nCREATE TABLE v")


def git(folder: Path, *arguments: str) -> str:
    """What a git command says."""
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "core.autocrlf=false")
    return subprocess.run(
        ["git", *identity, "-C", folder, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(production: Production) -> str:
    """Commits the folder; the commit."""
    production.commit()
    return git(production.folder, "rev-parse", "HEAD")


def look(
    production: Production,
    target: Target | None = None,
    confirmed: Callable[[], Sequence[Confirmation]] = lambda: (),
    platforms: Sequence[Callable[[], Check]] = (),
    **expected: str | dict[str, str] | None,
) -> dict[str, Check]:
    """The checks, by name; no time passes between two looks at a held lock."""
    target = target or production.target()
    expectation = Expectation(**{"typed": production.database, **expected})  # type: ignore[arg-type]
    observer = Observer(
        target, production.folder, production.workshop, expectation, lambda _: None, confirmed, platforms
    )
    try:
        checks = observer.checks()
    finally:
        target.close()
    return {check.name: check for check in checks}


@dataclass
class Site:
    """All that a check can be asked of.

    Attributes:
        role: one that may do what a deploy needs, and no more.
        platform: stands for Neon and Vercel.
        make: stages an incident with the real Prisma.
    """

    production: Production
    role: str
    platform: Platform
    folder: Path
    make: Callable[[Case], Scene]

    def as_role(self) -> None:
        """From now on it is looked at by that role."""
        self.production.user = self.role

    def hide(self, what: str) -> None:
        """Takes what every role may by default from the role."""
        self.production.run(f"REVOKE ALL ON {what} FROM PUBLIC")
        self.as_role()

    def through(self, place: str) -> Target:
        """The production behind something else."""
        return Target(parse(f"postgresql://{place}/{self.production.database}"), "the test")
