"""Stand-ins for extensions that the scratch server lacks, or that only a superuser may create there.

A stand-in is an extension with the names and signatures of production's catalog and empty bodies. Scripts can create
and use it, and its members stay out of every snapshot, like those of any extension. Its own script runs as a superuser
(`trusted`), so text from production only enters it as a quoted literal.
"""

import re
import shutil
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from recovery.replay.extension_members import script_of
from recovery.replay.standin_values import known_script

_INSTALLED = """
SELECT e.extname, e.extversion
FROM pg_catalog.pg_extension e
WHERE NOT (e.extname = ANY(%s))
ORDER BY e.extname
"""

#: Extensions that only a superuser may create, although they can't reach beyond the database. If the scratch server has
#: one, that is used instead of a stand-in.
HARMLESS = frozenset(
    {
        "autoinc",
        "bloom",
        "dict_xsyn",
        "earthdistance",
        "insert_username",
        "intagg",
        "moddatetime",
        "pg_stat_statements",
        "refint",
        "vector",
    }
)
_CREATES = re.compile(r'\bcreate\s+extension\s+(?:if\s+not\s+exists\s+)?(?:"([^"]+)"|([a-z_0-9]+))', re.IGNORECASE)
_SAFE = re.compile(r"[A-Za-z0-9_-]+\Z")
_SAFE_VERSION = re.compile(r"[A-Za-z0-9_.]+(-[A-Za-z0-9_.]+)*\Z")
_FIXED_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in to be written: its name, its version, and the SQL of its script."""

    name: str
    version: str
    script: str


def read(
    production: psycopg.Connection[Any],
    available: Iterable[str],
    scripts: Iterable[str],
    called: Callable[[], Collection[str]] = tuple,
) -> tuple[StandIn, ...]:
    """The stand-ins that a history needs.

    Args:
        production: the server whose catalog has the real extensions. An extension that is not installed there gets the
            members that are known here, or none.
        available: extensions that scripts can create on the scratch server without a stand-in.
        scripts: texts of the history.
        called: tells which functions scripts call for what they do, as for `script_of`.
    """
    own = {*available, "plpgsql"}
    wanted = {a or b.lower() for text in scripts for a, b in _CREATES.findall(text)} - own
    installed = dict(production.execute(_INSTALLED, (sorted(own),)).fetchall())
    found = []
    for name in sorted(name for name in {*wanted, *installed} if _SAFE.match(name)):
        version = installed.get(name, _FIXED_VERSION)
        script = script_of(production, name, called()) if name in installed else known_script(name)
        found.append(StandIn(name, version if _SAFE_VERSION.match(version) else _FIXED_VERSION, script))
    return tuple(found)


def write(folder: Path, standins: Iterable[StandIn], own: Path | None = None) -> None:
    """Writes stand-ins where the server looks for extensions first.

    Args:
        folder: the first folder of the server's `extension_control_path`.
        standins: the stand-ins to write.
        own: the folder of the server's own extensions. A harmless one of them is made available instead of its
            stand-in.
    """
    home = folder / "extension"
    home.mkdir(mode=0o755, exist_ok=True)
    for each in standins:
        control = home / f"{each.name}.control"
        if own is not None and each.name in HARMLESS and (own / control.name).exists():
            for file in own.glob(f"{each.name}--*.sql"):
                shutil.copyfile(file, home / file.name)
            control.write_text((own / control.name).read_text("utf-8") + "\ntrusted = true\n", "utf-8")
        else:
            (home / f"{each.name}--{each.version}.sql").write_text(each.script, "utf-8")
            text = f"default_version = '{each.version}'\nrelocatable = true\ntrusted = true\nsuperuser = true\n"
            control.write_text(text, "utf-8")
