"""Finds the parts of a Prisma project: the schema, its migrations folder, and the Prisma CLI.

Configuration in TypeScript is read by pattern, not run. If a pattern misses the variable that holds the URL, the
sentinel finds that the CLI goes elsewhere (`recovery.prisma.sentinel`).
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recovery.config import Config, upwards
from recovery.errors import PreflightError, UsageError
from recovery.prisma.sources import (
    NamedVariable,
    config_path,
    config_sets,
    config_setting,
    config_text,
    config_variables,
    has_datasource,
    named_variables,
    package_schema,
    package_version,
    written_url,
)

#: Where Prisma looks for the schema if no setting names it.
_SCHEMAS = ("prisma/schema.prisma", "schema.prisma", "prisma/schema")
#: How names begin in a folder with a schema in one of these places, with Prisma's configuration, or with a package.
_TELLING = ("prisma", "schema.prisma", ".config", "package.json")
#: How many schemas below the working directory are named, how deep they are looked for, and in how many folders.
_MOST_BELOW, _DEEP, _MOST_FOLDERS = 6, 4, 2_000
#: Folders that hold what was installed or built.
_INSTALLED = frozenset({"node_modules", "dist", "build", "vendor", "venv"})
#: The first major version that this tool does not know: Prisma 8 keeps another ledger.
_UNKNOWN_MAJOR = 8
#: Variables that are always set: projects commonly read them, also through code that no pattern finds.
_ALWAYS = ("DATABASE_URL", "DIRECT_URL")


@dataclass(frozen=True, slots=True)
class Project:
    """A Prisma project on disk.

    Attributes:
        root: the folder that holds package.json or prisma.config; the CLI's working directory.
        schema: schema.prisma, or a folder of such files.
        folder: the migrations folder, which may not exist; None if prisma.config computes it.
        config: prisma.config.ts or one of its other names; None if there is none.
        url_variables: environment variables from which the project could read its URL.
        named: the variables that its datasource names.
        written: URL and file, if the datasource holds the URL itself. Secret.
    """

    root: Path
    schema: Path
    folder: Path | None
    config: Path | None
    url_variables: tuple[str, ...]
    named: tuple[NamedVariable, ...] = ()
    written: tuple[str, Path] | None = field(default=None, repr=False)

    @property
    def migrations(self) -> Path:
        """The migrations folder, which may not exist.

        Raises:
            UsageError: `project.migrations_path`.
        """
        if self.folder is None:
            raise UsageError(
                "project.migrations_path",
                f"{self.config} computes migrations.path, so its value can't be read without running the file. "
                "Nothing was done.",
                "Name the folder with --migrations, or write the path there as a string.",
            )
        return self.folder


@dataclass(frozen=True, slots=True)
class Launcher:
    """How to start the project's Prisma CLI.

    Attributes:
        argv: the program and its first arguments.
        version: the version of the package `prisma`, as "6.19.3"; None if not known.
    """

    argv: tuple[str, ...]
    version: str | None


def find(cwd: Path, schema: str | Path | None = None) -> Project:
    """Finds the project that `cwd` belongs to, searching upwards to the root of the git checkout.

    Args:
        cwd: the working directory, absolute.
        schema: the path of the schema that a person named, relative to `cwd`; None if nobody did.

    Raises:
        UsageError: `project.no_schema`, `project.unreadable`.
    """
    try:
        if schema is not None:
            named = (cwd / schema).resolve()
            if not named.exists():
                raise _no_schema(f"there is no {named}")
            return _project(_root(named), named)
        for folder in upwards(cwd.resolve()):
            if found := _schema_in(folder):
                return _project(folder if _is_root(folder) else _root(found), found)
    except OSError as error:
        raise UsageError(
            "project.unreadable",
            f"{error.filename} cannot be read ({error.strerror}). Nothing was done.",
            "Give this user permission to read the project.",
        ) from error
    below = _below(cwd.resolve())
    if below:
        listed = ", ".join(str(path.relative_to(cwd.resolve())) for path in below)
        raise UsageError(
            "project.no_schema",
            f"No Prisma schema belongs to {cwd}, but folders below it have one: {listed}. Nothing was done.",
            f"Run this in the package of one of them, or name it: --schema {below[0].relative_to(cwd.resolve())}",
        )
    raise _no_schema(f"neither {cwd} nor a folder above it in the same checkout has one")


def find_configured(config: Config, cwd: Path, schema: Path | None = None) -> Project:
    """`find`, with the schema of the settings if a person named none."""
    if schema is None and config.prisma.schema is not None and config.path is not None:
        schema = config.path.parent / config.prisma.schema
    return find(cwd, schema)


def find_launcher(project: Project, command: Sequence[str] | None = None) -> Launcher:
    """Finds the project's own Prisma CLI as Node does, from the schema's folder upwards.

    Outside a checkout, where there is none, it is the one on PATH: images have theirs installed for all.

    Args:
        project: the project.
        command: the configured command, for projects that keep the CLI elsewhere.

    Raises:
        UsageError: `prisma.not_found`.
        PreflightError: `prisma.version_8`.
    """
    folders = (project.schema, *project.schema.parents)
    package = next((p for f in folders if (p := f / "node_modules" / "prisma").is_dir()), None)
    script = next((b for f in folders if (b := f / "node_modules" / ".bin" / "prisma").exists()), None)
    on_path = None if package or script or command else _on_path(project)
    if on_path is not None:
        package = on_path.resolve().parent.parent  # npm makes it a link to …/node_modules/prisma/build/index.js
    version = None if package is None else package_version(package / "package.json")
    if version is not None and _major(version) >= _UNKNOWN_MAJOR:
        raise PreflightError(
            "prisma.version_8",
            f"The project has Prisma {version}, which keeps another ledger than the one that this tool knows "
            "(Prisma 3 to 7). Nothing was changed.",
            "Recover this database by Prisma's own means.",
        )
    if command:
        return Launcher(tuple(command), version)
    # Starting the package with node itself is about 0.3 s faster than npx.
    if package is not None and (entry := package / "build" / "index.js").is_file():
        return Launcher(("node", str(entry)), version)
    if script is not None:
        return Launcher((str(script),), version)
    if on_path is not None:
        return Launcher((str(on_path),), version)
    raise UsageError(
        "prisma.not_found",
        f"There is no Prisma CLI in node_modules of {project.schema.parent} or above. Nothing was done.",
        "Install the project's packages (npm ci; in a folder taken out of an image: npm install prisma@VERSION, the "
        "version that the image has), or name the command as `command` under [prisma] in "
        'prisma-recovery.toml, as ["pnpm", "exec", "prisma"].',
    )


def _on_path(project: Project) -> Path | None:
    """The Prisma on PATH, if the project is in no checkout; in one it could be of another project's version."""
    program = shutil.which("prisma")
    if program is None or any((folder / ".git").exists() for folder in project.schema.parents):
        return None
    return Path(program)


def _project(root: Path, schema: Path) -> Project:
    config = config_path(root)
    text = config_text(config)
    files = sorted(schema.rglob("*.prisma")) if schema.is_dir() else [schema]
    contents = {file: file.read_text(errors="replace") for file in files}
    sources = {**({config: text} if config is not None else {}), **contents}
    named = tuple(each for file, content in sources.items() for each in named_variables(content, file))
    written = ((url, file) for file, content in sources.items() if (url := written_url(content)))
    variables = [*_ALWAYS, *config_variables(text), *(each.variable for each in named)]
    configured = config_setting(text, "migrations", "path")
    computed = configured is None and config_sets(text, "migrations", "path")
    return Project(
        root=root,
        schema=schema,
        folder=None if computed else root / configured if configured else _beside(schema, contents),
        config=config,
        url_variables=tuple(dict.fromkeys(variables)),
        named=named,
        written=next(written, None),
    )


def _beside(schema: Path, contents: Mapping[Path, str]) -> Path:
    """The migrations folder: beside the file with the datasource, or (up to Prisma 6.5) beside the schema folder."""
    main = next((file for file, content in contents.items() if has_datasource(content)), schema)
    folder = main.parent / "migrations"
    older = schema.parent / "migrations"
    return older if schema.is_dir() and older.is_dir() and not folder.is_dir() else folder


def _schema_in(folder: Path) -> Path | None:
    """The schema of the project with this root: the one that its configuration names, else in the usual places."""
    named = config_setting(config_text(config_path(folder)), "schema") or package_schema(folder / "package.json")
    for candidate in (named,) if named else _SCHEMAS:
        if (path := folder / candidate).exists():
            return path.resolve()
    return None


def _below(root: Path) -> list[Path]:
    """Schemas in folders below, as in a monorepo: the first few, not in what is installed or hidden."""
    found: list[Path] = []
    for looked, (folder, folders, files) in enumerate(os.walk(root), 1):
        here = Path(folder)
        deep = len(here.relative_to(root).parts) >= _DEEP
        # Most folders have nothing of a project, and their listing tells it.
        telling = any(name.startswith(_TELLING) for name in (*folders, *files))
        folders[:] = [] if deep else sorted(name for name in folders if name not in _INSTALLED and name[0] != ".")
        if telling and here != root and (schema := _schema_in(here)):
            found.append(schema)
            folders[:] = []
        if len(found) == _MOST_BELOW or looked == _MOST_FOLDERS:
            break
    return found


def _major(version: str) -> int:
    """The first number of a version; 0 if it has none, as that of a local build."""
    first = version.split(".", maxsplit=1)[0]
    return int(first) if first.isdecimal() else 0


def _is_root(folder: Path) -> bool:
    return (folder / "package.json").is_file() or config_path(folder) is not None


def _root(schema: Path) -> Path:
    """The nearest folder above `schema` that is a project's root; if there is none, the folder of the schema."""
    return next((folder for folder in upwards(schema.parent) if _is_root(folder)), schema.parent)


def _no_schema(where: str) -> UsageError:
    return UsageError(
        "project.no_schema",
        f"No Prisma schema was found: {where}. Nothing was done.",
        "Run this in the project, or name the schema with --schema (for inspect, --migrations is enough).",
    )
