"""Keeps replays between runs (RULES E16): the same scripts in the same order on the same server replay the same."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from recovery.replay.roles import Roles
from recovery.replay.standins import StandIn
from recovery.replay.surroundings import Surroundings
from recovery.sql.script import Script
from states.digest import RULES_VERSION
from states.facts import Key, Replay

_DIGEST_SIZE = hashlib.sha256().digest_size
#: The most replays kept, whatever their history; beyond that the oldest are deleted.
KEPT = 64
#: The packages whose code decides what a replay holds: everything that `recovery.replay` imports, directly or not.
CODE = ("recovery.replay", "recovery.sql", "recovery.postgres", "states")


def key(  # noqa: PLR0913 - everything that a replay depends on
    base: Sequence[Script],
    script: Script,
    server: str,
    schema: str,
    standins: Sequence[StandIn],
    roles: Roles,
    around: Surroundings,
    *,
    on_rows: bool,
    at_once: int = 0,
) -> str:
    """The name of a replay in the cache: a digest of everything that the replay depends on.

    Args:
        base: the scripts replayed before it, in order.
        script: the script whose steps the replay holds.
        server: source and version of the scratch server.
        schema: the schema that the scripts run in.
        standins: the stand-ins for extensions.
        roles: the roles that were made.
        around: what is there before the history.
        on_rows: whether the script ran on rows, too.
        at_once: how many scripts, it and the last of those before it, are one step; 0 for a step for each statement.
    """
    parts = (
        RULES_VERSION,
        _code(),
        server,
        schema,
        # The text of a stamp may be left out, so the checksum alone does not tell what was replayed.
        [(each.migration, each.checksum, hashlib.sha256(each.text.encode()).hexdigest()) for each in base],
        (script.migration, script.checksum),
        [(each.name, each.version, each.script) for each in standins],
        (roles.runner, roles.others),
        around.digested,
        on_rows,
        at_once,
    )
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


@cache
def _code() -> str:
    """A digest of the code that makes replays, so that a change of the code makes every replay anew."""
    digest = hashlib.sha256()
    for package in CODE:
        for file in sorted(files(package).iterdir(), key=lambda each: each.name):
            if file.name.endswith((".py", ".sql")):
                digest.update(file.read_bytes())
    return digest.hexdigest()


class ReplayCache:
    """A folder of replays. A damaged file, or one of another format, is never used; its replay is made anew.

    Only complete replays are kept: a failure may not happen the next time.
    """

    def __init__(self, folder: Path) -> None:
        """Keeps replays in `folder`, which is created with the first one."""
        self._folder = folder

    def get(self, name: str, make: Callable[[], Replay]) -> Replay:
        """The replay kept under `name`; without one, `make` makes it, and it is kept."""
        path = self._folder / name
        kept = _read(path)
        if kept is not None:
            return kept
        replay = make()
        if replay.ended is not None or any(note.statement is None or note.failed for note in replay.skipped):
            return replay
        with contextlib.suppress(OSError):  # without a place to keep it, the next run only takes longer
            self._write(path, replay)
        return replay

    def _write(self, path: Path, replay: Replay) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = msgspec.msgpack.encode(replay)
        descriptor, temporary = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        oldest_first = sorted(self._folder.iterdir(), key=lambda each: each.stat().st_mtime)
        for old in oldest_first[:-KEPT]:
            old.unlink(missing_ok=True)


def _read(path: Path) -> Replay | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, encoded = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
    if hashlib.sha256(encoded).digest() != digest:
        return None
    with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError):
        return _shared(msgspec.msgpack.decode(encoded, type=Replay))
    return None


def _shared(replay: Replay) -> Replay:
    """The replay, with one snapshot for all steps in a row that are alike, as in the one that was kept."""
    steps: list[Mapping[Key, str]] = []
    for step in replay.steps:
        steps.append(steps[-1] if steps and step == steps[-1] else step)
    return replace(replay, steps=tuple(steps))
