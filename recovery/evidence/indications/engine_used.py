"""Which Prisma engine ran a failed migration, and whether it sent the script whole: from `logs` and the project.

Up to version 7.3 the native engine sends a script as one query, since 7.4 statement by statement. The wording of `logs`
shows which engine it was. Nothing records the version, so a script counts as sent whole only if no version that the
project ever asked for could be 7.4 or later. Configuration files are read as text and never run.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from recovery.config import upwards
from recovery.errors import RecoveryError
from recovery.prisma.git import Repository
from recovery.prisma.logs import engine
from recovery.prisma.sources import config_path, config_text, package_version
from states.facts import Runner

#: The first version whose native engine runs a script statement by statement.
_PIECEWISE = (7, 4)
#: The first major version with today's columns in the ledger.
_FIRST = 3
#: The most versions of package.json that are read from git. If there are more, their demands count as unknown.
_MOST_VERSIONS = 500

_ADAPTER = re.compile(r"\bengine\s*:\s*[\"'`]js[\"'`]|\badapter\b")
_PREVIEW = re.compile(r"^\s*previewFeatures\s*=\s*\[[^\]]*\bdriverAdapters\b", re.MULTILINE)
_RANGE = re.compile(r"(?P<how>[\^~]?)v?(?P<major>\d+)\.(?P<minor>\d+)\.\d+(?P<label>-[\w.]+)?\Z")
_LOCKS = (
    ("package-lock.json", re.compile(r'"node_modules/prisma":\s*\{\s*"version":\s*"(\d[^"]*)"')),
    ("pnpm-lock.yaml", re.compile(r"^\s*['\"]?/?prisma[@/](\d+\.\d+\.\d+)", re.MULTILINE)),
    ("yarn.lock", re.compile(r"^\"?prisma@[^\n]*:\n\s+version:? \"?(\d+\.\d+\.\d+)", re.MULTILINE)),
    ("bun.lock", re.compile(r'"prisma":\s*\["prisma@(\d+\.\d+\.\d+)')),
)


def runner(logs: str | None, migrations: Path, repository: Repository | None, *, partial: bool = False) -> Runner:
    """Which engine ran the script, as far as that is known. Never fails, and needs no project.

    Args:
        logs: logs of the failed row.
        migrations: the migrations folder; the project is searched for from there upwards.
        repository: the checkout that the folder is in; None without git.
        partial: production has the effects of the script's first statements and not of the rest.
    """
    try:
        version, said = _version(migrations)
        adapter = _adapter(migrations)
    except OSError:
        version, said, adapter = None, "The project can't be read", ""
    wrote = engine(logs)
    if wrote == "native":
        if partial:
            return Runner("native", version, None, f"The logs are the native engine's. {_PARTIAL} {said}.")
        older = _never_later(version, migrations, repository)
        how = (
            f"and the project, with its history in git, never asked for {_dotted(_PIECEWISE)} or later, so the script "
            "was sent whole"
            if older
            else "so it is not known how the script was sent: whole up to 7.3, statement by statement since "
            f"{_dotted(_PIECEWISE)}"
        )
        return Runner("native", version, older or None, f"The logs are the native engine's. {said}, {how}.")
    if wrote == "javascript":
        source = (
            "The logs are as Prisma writes them through a driver adapter (its JavaScript engine): it runs a script "
            "statement by statement, and commits each one."
        )
        return Runner("javascript", version, whole=False, source=f"{source} {said}.")
    if partial:
        return Runner("unknown", version, None, f"{_PARTIAL} {said}{adapter}.")
    return Runner("unknown", version, None, f"The logs do not tell which engine ran the script. {said}{adapter}.")


_PARTIAL = (
    "Part of the script is in place: an engine that runs it statement by statement can leave that, or a change by hand."
)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _version(migrations: Path) -> tuple[str | None, str]:
    """The project's current version of Prisma, from the strongest source that names it, and a sentence on the source.

    The version is None if it is not exactly known. The sentence has no full stop.
    """
    folders = upwards(migrations)
    for folder in folders:
        if version := package_version(folder / "node_modules" / "prisma" / "package.json"):
            return version, f"Prisma {version} is installed now"
    for folder in folders:
        for name, pattern in _LOCKS:
            lock = folder / name
            versions = set(pattern.findall(lock.read_text(errors="replace"))) if lock.is_file() else set()
            if len(versions) == 1:
                version = versions.pop()
                return version, f"{name} names Prisma {version} now"
    for folder in folders:
        package = folder / "package.json"
        if package.is_file() and (wanted := _wanted(package.read_bytes())):
            return None, f"package.json asks for Prisma {', '.join(sorted(wanted))} now"
    return None, "The project's version of Prisma could not be found"


def _adapter(migrations: Path) -> str:
    """A sign in the configuration that the JavaScript engine is used, as the end of a sentence; empty without one."""
    for folder in upwards(migrations):
        if _ADAPTER.search(config_text(config_path(folder))):
            return ", and its prisma.config seems to name an adapter, as for the JavaScript engine"
    for schema in (*migrations.parent.glob("*.prisma"), *migrations.parent.parent.glob("*.prisma")):
        if _PREVIEW.search(schema.read_text(errors="replace")):
            return f", and {schema.name} names the preview feature driverAdapters"
    return ""


def _wanted(package: bytes) -> set[str]:
    """The versions or ranges of Prisma that a package.json asks for."""
    try:
        content: Any = json.loads(package)
    except ValueError:
        return set()
    found = set()
    for key in (
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
        "resolutions",
        "overrides",
    ):
        group = content.get(key) if isinstance(content, dict) else None
        if isinstance(group, dict) and "prisma" in group:
            wanted = group["prisma"]
            found.add(wanted if isinstance(wanted, str) else "?")
    return found


def _never_later(version: str | None, migrations: Path, repository: Repository | None) -> bool:
    """Whether every version of Prisma that the project ever asked for sends a script whole.

    That takes the version installed now, and each version that a package.json above the migrations asks for, now and
    in every commit of every branch. An incomplete history (a shallow clone) proves nothing.
    """
    if version is None or not _whole(version) or repository is None:
        return False
    paths = [folder / "package.json" for folder in upwards(migrations)]
    try:
        versions = repository.versions(paths, _MOST_VERSIONS)
        now = [path.read_bytes() for path in paths if path.is_file()]
    except (RecoveryError, OSError):
        return False
    if versions is None:
        return False
    wanted = set[str]().union(*map(_wanted, _readable([*versions, *now])))
    return bool(wanted) and all(_whole(each) for each in wanted)


def _readable(packages: Iterable[bytes]) -> Iterable[bytes]:
    """Replaces each package.json that is not valid JSON by one that asks for an unknown version of Prisma."""
    for package in packages:
        try:
            json.loads(package)
        except ValueError:
            yield b'{"dependencies": {"prisma": "?"}}'
        else:
            yield package


def _whole(wanted: str) -> bool:
    """Whether an exact version, or a range with ^ or ~, covers only versions that send a script whole."""
    match = _RANGE.match(wanted.strip())
    if match is None or match["label"]:
        return False
    major, minor = int(match["major"]), int(match["minor"])
    if match["how"] == "^":
        return _FIRST <= major < _PIECEWISE[0]
    return (_FIRST, 0) <= (major, minor) < _PIECEWISE
