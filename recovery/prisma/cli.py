"""The Prisma CLI, limited to four commands: no function here takes the CLI's arguments as text.

The CLI's output is only shown to people. What a command did is read from the database, before and after it.
"""

import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from recovery.errors import UsageError
from recovery.files import cache_folder
from recovery.prisma.process import Finished, Running, Tether
from recovery.prisma.project import Launcher, Project
from recovery.secrets import Redactor
from states.effects import Deploy, Effect, MarkApplied, MarkRolledBack, PrismaEffect, Repair

#: No prompts, no look-ups on the network, no colours.
_QUIET = {
    "CI": "1",
    "CHECKPOINT_DISABLE": "1",
    "PRISMA_HIDE_UPDATE_MESSAGE": "1",
    "NO_COLOR": "1",
    "FORCE_COLOR": "0",
}
#: Without Prisma's own lock, no other deploy would be kept out while ours works (RULES F1).
_REMOVED = ("PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK",)


@dataclass(frozen=True, slots=True)
class Status:
    """`prisma migrate status`, which changes nothing."""


Command = PrismaEffect | Status


def command(effect: Command, schema: Path | None = None) -> tuple[str, ...]:
    """The CLI's arguments for an effect or for `Status`. No other command line can be built.

    Raises:
        UsageError: `prisma.migration_name` for a name that could be mistaken for an option or a path.
    """
    match effect:
        case MarkApplied(migration):
            arguments: tuple[str, ...] = ("resolve", "--applied", _name(migration))
        case MarkRolledBack(migration):
            arguments = ("resolve", "--rolled-back", _name(migration))
        case Deploy():
            arguments = ("deploy",)
        case Status():
            arguments = ("status",)
    return ("migrate", *arguments, *(() if schema is None else ("--schema", str(schema))))


def command_line(effect: Effect) -> str:
    """The command line of an effect, for people; of a repair, which is no command, what it is."""
    if isinstance(effect, Repair):
        return f"the plan to {effect.way} {effect.migration}"
    return shlex.join(("prisma", *command(effect)))


def _compiled(environ: Mapping[str, str]) -> dict[str, str]:
    """Where Node keeps what it has compiled of Prisma, so that the next command starts in less time.

    Node checks what it kept against the files, and leaves out what does not fit; versions before 22.1 keep nothing.
    """
    folder = {"NODE_COMPILE_CACHE": str(cache_folder() / "node")}
    return {} if folder.keys() & environ.keys() else folder


class PrismaCli:
    """Runs the project's own CLI.

    Args:
        project: the project, whose root is the CLI's working directory. All its URL variables are set to the
            target's URL, so that the CLI reaches the target whichever of them it reads.
        launcher: how the CLI is started.
        environ: the environment that the CLI inherits.
    """

    def __init__(self, project: Project, launcher: Launcher, environ: Mapping[str, str]) -> None:
        self._project = project
        self._launcher = launcher
        self._environ = environ

    @property
    def version(self) -> str | None:
        """The version of the CLI; None if it is not known."""
        return self._launcher.version

    def start(
        self,
        effect: Command,
        *,
        url: str,
        on_output: Callable[[str], None] | None = None,
        on_interrupt: Callable[[], None] | None = None,
        tether: Tether | None = None,
    ) -> Running:
        """Starts a command in a session and process group of its own.

        Args:
            effect: the command.
            url: the target's URL; passed in the environment only, since every user can read a process's arguments.
                Prisma itself puts it into its engine's all the same: Prisma 7 throughout, earlier ones briefly.
            on_output: called with each line of the output, redacted, from another thread.
            on_interrupt: called at the first ^C during the wait for the command.
            tether: ends the command if this process dies; None: the command goes on then.

        Raises:
            UsageError: `prisma.not_started`, `prisma.migration_name`.
        """
        argv = (*self._launcher.argv, *command(effect, self._project.schema))
        environment = {key: value for key, value in self._environ.items() if key not in _REMOVED}
        try:
            process = subprocess.Popen(
                argv if tether is None else tether.tied(argv),
                cwd=self._project.root,
                env=environment | _QUIET | _compiled(environment) | dict.fromkeys(self._project.url_variables, url),
                stdin=subprocess.DEVNULL if tether is None else tether.pipe,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise UsageError(
                "prisma.not_started",
                f"The Prisma CLI could not be started as {self._launcher.argv[0]} "
                f"({getattr(error, 'strerror', None) or type(error).__name__}). Nothing was done.",
                "Install the project's packages and Node.js, or correct `command` under [prisma] in "
                "prisma-recovery.toml.",
            ) from error
        return Running(process, Redactor(url), on_output, on_interrupt)

    def run(
        self,
        effect: Command,
        *,
        url: str,
        on_output: Callable[[str], None] | None = None,
        on_interrupt: Callable[[], None] | None = None,
        timeout: float | None = None,
    ) -> Finished:
        """`start`, then `Running.wait`. There is no default time-out, because it would cause a failed migration."""
        return self.start(effect, url=url, on_output=on_output, on_interrupt=on_interrupt).wait(timeout)


def _name(migration: str) -> str:
    """The name of a migration, refused if it could be mistaken for an option or a path."""
    if not migration or migration in {".", ".."} or migration.startswith("-") or set(migration) & set("/\\\0"):
        raise UsageError(
            "prisma.migration_name",
            f"{migration!r} is not a migration's name: it is empty, starts with `-`, or names a path. "
            "Nothing was done.",
            "Name a folder of the migrations folder.",
        )
    return migration
