"""The databases that a Prisma command could reach, from all places where Prisma looks for a URL."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recovery.errors import UsageError
from recovery.guard.commands import Danger, PrismaCommand
from recovery.guard.context import Context
from recovery.guard.project_files import NamedUrls, of_config, of_schema
from recovery.guard.shell import UNKNOWN
from recovery.prisma import dotenv, project
from recovery.prisma.sources import config_path

_REFERENCE = re.compile(f"{UNKNOWN}(\\w*){UNKNOWN}")
#: Variables that count even if no file names them.
_USUAL = ("DATABASE_URL", "DIRECT_URL")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A URL that a command could use, and where the URL stands, for people."""

    url: str = field(repr=False)
    source: str


@dataclass(frozen=True, slots=True)
class Destinations:
    """All databases that a command could reach.

    Attributes:
        candidates: the URLs that it could use.
        unclear: reasons why there may be further ones.
    """

    candidates: tuple[Candidate, ...]
    unclear: tuple[str, ...]


def destinations(command: PrismaCommand, context: Context, cwd: Path, environ: Mapping[str, str]) -> Destinations:
    """The databases that `command` could reach.

    Args:
        command: the Prisma command.
        context: what launchers and shells change for it.
        cwd: guard's working directory, absolute.
        environ: guard's environment.
    """
    return _Reader(command, context, cwd, environ).destinations()


class _Reader:
    def __init__(self, command: PrismaCommand, context: Context, cwd: Path, environ: Mapping[str, str]) -> None:
        self._command = command
        self._context = context
        self._environ = environ
        self._folder = (cwd / (context.folder or ".")).absolute()
        self._unclear = list(context.unclear)
        self._candidates: list[Candidate] = []
        self._files: dict[Path, None] = {}

    def destinations(self) -> Destinations:
        for url in self._command.urls:
            self._add(self._expanded(url), "--url")
        # A `--url` is the only URL in use, except that `migrate dev` also empties a shadow database.
        shadow = self._command.danger in (Danger.MIGRATE_DEV, Danger.OPEN)
        if not self._command.urls or not self._command.exact or shadow:
            self._project()
        return Destinations(tuple(dict.fromkeys(self._candidates)), tuple(dict.fromkeys(self._unclear)))

    def _project(self) -> None:
        named = [*self._schemas(), *self._configs()]
        variables = [variable for each in named for variable in each.variables]
        self._unclear += [why for each in named for why in each.unclear]
        for each in named:
            for literal in each.literals:
                self._add(literal, "a URL written in the project")
        if not variables and not any(each.literals for each in named):
            self._unclear.append("neither a schema nor prisma.config here says where the URL comes from")
        self._take([self._folder / ".env"])
        self._take(self._folder / file for each in named for file in each.files)
        known = {**self._environ, **dict(reversed(self._context.assigned))}
        mode, loaded = known.get("NODE_ENV") or "development", known.get("DOTENV_CONFIG_PATH")
        self._take(self._folder / self._expanded(file).replace("{NODE_ENV}", mode) for file in self._context.files)
        self._take([self._folder / self._expanded(loaded)] if loaded else [])
        own = self._context.layered or bool(loaded) or any(each.layered for each in named)
        for variable in dict.fromkeys((*variables, *_USUAL)):
            self._variable(variable, own=own)

    def _schemas(self) -> Iterator[NamedUrls]:
        for named in self._command.schemas or (None,):
            if named is not None and UNKNOWN in (named := self._expanded(named)):
                self._unclear.append("the shell computes --schema")
                continue
            try:
                found = project.find(self._folder, named)
            except UsageError as error:
                self._unclear.append(error.fact.removesuffix(" Nothing was done.").rstrip("."))
                continue
            beside = found.schema if found.schema.is_dir() else found.schema.parent
            self._take([beside / ".env", beside.parent / ".env", found.root / ".env"])
            for file in sorted(found.schema.rglob("*.prisma")) if found.schema.is_dir() else [found.schema]:
                yield of_schema(self._read(file))
            if found.config is not None and found.root != self._folder:
                yield self._config(found.config)

    def _configs(self) -> Iterator[NamedUrls]:
        """The URLs of the given `--config`s; without any, of prisma.config in the working directory."""
        for named in self._command.configs:
            if UNKNOWN in (named := self._expanded(named)):
                self._unclear.append("the shell computes --config")
            else:
                path = self._folder / named
                self._take([path.parent / ".env"])
                yield self._config(path)
        found = config_path(self._folder)
        if not self._command.configs and found is not None:
            yield self._config(found)

    def _config(self, path: Path) -> NamedUrls:
        return of_config(self._read(path), path.name)

    def _take(self, files: object) -> None:
        self._files.update(dict.fromkeys(files))  # type: ignore[call-overload]

    def _variable(self, name: str, *, own: bool) -> None:
        """Adds every value that a variable may have; `own`: values from files may win over the environment's."""
        assigned = next((value for key, value in self._context.assigned if key == name), None)
        if assigned is not None:
            self._add(self._expanded(assigned), f"{name} in the command")
        if self._environ.get(name) and (assigned is None or self._context.layered):
            self._add(self._environ[name], f"{name} in the environment")
        if not own and (assigned or self._environ.get(name)):
            return
        for file in self._files:
            if file.is_file() and (value := self._values(file).get(name)):
                self._add(value, f"{name} in {file}")

    def _values(self, file: Path) -> dict[str, str]:
        assigned = {name: self._expanded(value) for name, value in reversed(self._context.assigned)}
        return dotenv.parse(self._read(file), {**self._environ, **assigned})

    def _add(self, url: str, source: str) -> None:
        if UNKNOWN in url:
            self._unclear.append(f"the shell computes {source}")
        else:
            self._candidates.append(Candidate(url, source))

    def _expanded(self, text: str) -> str:
        """`text` with the shell's plain variables replaced, as far as their values are known."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            # If the command line sets the variable too, the shell may have expanded it before or after that.
            known = not self._context.layered and all(name != other for other, _ in self._context.assigned)
            return self._environ.get(name, UNKNOWN) if known else UNKNOWN

        return _REFERENCE.sub(value, text) if UNKNOWN in text else text

    def _read(self, path: Path) -> str:
        try:
            return path.read_bytes().decode("utf-8-sig", "replace")
        except OSError as error:
            self._unclear.append(f"{path} cannot be read ({error.strerror})")
            return ""
