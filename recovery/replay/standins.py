"""Stand-ins for extensions that production has and the scratch server lacks.

A stand-in is a real extension of the scratch server with the names and signatures that production's own catalog
gives, and empty bodies: scripts that create and use it run, and what it owns stays out of every snapshot.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

_INSTALLED = """
SELECT e.extname, n.nspname, e.extversion
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE NOT (e.extname = ANY(%s))
ORDER BY e.extname
"""

# Functions that only C code can call, or that a type of C code needs, have no place in a stand-in.
_FUNCTIONS = """
SELECT e.extname, f.proname, pg_catalog.pg_get_function_arguments(f.oid), pg_catalog.pg_get_function_result(f.oid),
       f.proretset, f.provolatile::text, f.proisstrict
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
    AND d.deptype = 'e' AND d.classid = 'pg_catalog.pg_proc'::regclass
JOIN pg_catalog.pg_proc f ON f.oid = d.objid
WHERE e.extname = ANY(%s) AND f.prokind = 'f'
  AND NOT EXISTS (SELECT FROM unnest(f.proargtypes || f.prorettype) t(oid)
                  JOIN pg_catalog.pg_type y ON y.oid = t.oid
                  WHERE y.typtype = 'p' AND y.typname IN ('internal', 'cstring', 'trigger', 'event_trigger',
                        'index_am_handler', 'table_am_handler', 'fdw_handler', 'tsm_handler', 'language_handler'))
ORDER BY e.extname, f.proname, f.oid
"""

_TYPES = """
SELECT e.extname, t.typname
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
    AND d.deptype = 'e' AND d.classid = 'pg_catalog.pg_type'::regclass
JOIN pg_catalog.pg_type t ON t.oid = d.objid
WHERE e.extname = ANY(%s) AND t.typtype = 'b' AND t.typelem = 0
ORDER BY e.extname, t.typname
"""

#: What a stand-in's function gives, by type: something that a NOT NULL or unique column takes.
_VALUES = {
    "uuid": "gen_random_uuid()",
    "text": "md5(random()::text)",
    "bytea": "decode(md5(random()::text), 'hex')",
    "boolean": "false",
    "integer": "0",
}
_VOLATILITY = {"i": "IMMUTABLE", "s": "STABLE", "v": "VOLATILE"}
_CREATES = re.compile(r'\bcreate\s+extension\s+(?:if\s+not\s+exists\s+)?(?:"([^"]+)"|([a-z_0-9]+))', re.IGNORECASE)
_SAFE = re.compile(r"[A-Za-z0-9_-]+\Z")
_FIXED_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class StandIn:
    """An extension to be written: its name, its version, and the SQL of its script."""

    name: str
    version: str
    script: str


def read(production: psycopg.Connection[Any], available: Iterable[str], scripts: Iterable[str]) -> tuple[StandIn, ...]:
    """The stand-ins that a history needs.

    Args:
        production: where the real ones are installed; one that isn't gets a stand-in without members.
        available: extensions that the scratch server has itself.
        scripts: texts of the history.
    """
    own = set(available)
    wanted = {a or b.lower() for text in scripts for a, b in _CREATES.findall(text)} - own
    installed = {row[0]: row[2] for row in production.execute(_INSTALLED, (sorted(own),))}
    names = sorted(name for name in {*wanted, *installed} if _SAFE.match(name))
    members: dict[str, list[str]] = {name: [] for name in names}
    for name, typname in production.execute(_TYPES, (names,)):
        members[name].append(f"CREATE DOMAIN {_quoted(typname)} AS text;")
    for name, *function in production.execute(_FUNCTIONS, (names,)):
        members[name].append(_function(function))
    return tuple(StandIn(name, installed.get(name, _FIXED_VERSION), "\n".join(members[name])) for name in names)


def _function(row: Sequence[Any]) -> str:
    name, arguments, result, is_set, volatility, strict = row
    if is_set:
        body = "BEGIN RETURN; END"
    elif result == "void":
        body = "BEGIN END"
    else:
        body = f"BEGIN RETURN {_VALUES.get(result, 'NULL')}; END"
    # One whose types the scratch server lacks is left out, and what uses it ends the path there, by name.
    return (
        "DO $standin$ BEGIN EXECUTE $create$"
        f"CREATE FUNCTION {_quoted(name)}({arguments}) RETURNS {result} LANGUAGE plpgsql"
        f" {_VOLATILITY[volatility]}{' STRICT' if strict else ''} AS $body${body}$body$"
        "$create$; EXCEPTION WHEN others THEN NULL; END $standin$;"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def write(folder: Path, standins: Iterable[StandIn]) -> None:
    """Writes them where the server looks for extensions (`extension_control_path`)."""
    home = folder / "extension"
    home.mkdir(mode=0o755, exist_ok=True)
    for each in standins:
        control = f"default_version = '{each.version}'\nrelocatable = true\ntrusted = true\nsuperuser = false\n"
        (home / f"{each.name}--{each.version}.sql").write_text(each.script, "utf-8")
        (home / f"{each.name}.control").write_text(control, "utf-8")
