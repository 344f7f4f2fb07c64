"""Replays kept between runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from recovery.replay.cache import CODE, KEPT, ReplayCache, key
from recovery.replay.roles import Roles
from recovery.replay.standins import StandIn
from recovery.replay.surroundings import Surroundings
from recovery.sql.script import Script
from states.facts import Note, Replay, Statement, Visibility
from tests.imports import closure

REPLAY = Replay(
    checksum="c",
    statements=(Statement(1, "CREATE TABLE t ()", Visibility.SEEN, ""),),
    steps=({}, {("table public.t", "exists"): "yes"}),
    footprint=frozenset({("table public.t", "exists")}),
    created=frozenset({"table public.t"}),
    added=frozenset({("table public.u", "column a")}),
    named=frozenset({"public.t"}),
)
A, B, FAILED = (Script(name, name * 2, "SELECT 1") for name in "abf")
SAME = (
    (A, B),
    FAILED,
    "embedded PostgreSQL 18.6",
    "public",
    (StandIn("x", "1", "s"),),
    Roles("app", ("other",)),
    Surroundings(),
)


def never() -> Replay:
    """What must not be asked for."""
    raise AssertionError("made again")


def test_what_was_kept_is_the_same_to_the_letter(tmp_path: Path) -> None:
    """A second run gets the replay that the first one made, and makes none."""
    assert ReplayCache(tmp_path / "new").get("k", lambda: REPLAY) == REPLAY
    assert ReplayCache(tmp_path / "new").get("k", never) == REPLAY


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[:-1], lambda b: b[:40] + bytes([b[40] ^ 1]) + b[41:], lambda _: b"", lambda b: b + b"x"],
)
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Cut short, or with a flipped bit: it is not trusted."""
    cache = ReplayCache(tmp_path)
    cache.get("k", lambda: REPLAY)
    (tmp_path / "k").write_bytes(damage((tmp_path / "k").read_bytes()))
    other = replace(REPLAY, checksum="made anew")
    assert cache.get("k", lambda: other) == other


@pytest.mark.parametrize("flaw", [{"ended": "statement 1 fails"}, {"skipped": (Note("a", "no such role"),)}])
def test_a_flawed_replay_is_not_kept(tmp_path: Path, flaw: dict[str, object]) -> None:
    """What could not be replayed is tried again the next time."""
    cache = ReplayCache(tmp_path)
    cache.get("k", lambda: replace(REPLAY, **flaw))  # type: ignore[arg-type]
    assert cache.get("k", lambda: REPLAY) == REPLAY


def test_a_replay_without_a_statement_that_never_runs_here_is_kept(tmp_path: Path) -> None:
    """A statement that is not executed by its kind will not be the next time either."""
    cache = ReplayCache(tmp_path)
    replay = replace(REPLAY, skipped=(Note("a", "not executed, it changes roles of the whole server", 1),))
    cache.get("k", lambda: replay)
    assert cache.get("k", never) == replay


def test_a_folder_that_can_not_be_written_costs_time_only(tmp_path: Path) -> None:
    """The replay is there all the same."""
    (tmp_path / "file").touch()
    assert ReplayCache(tmp_path / "file" / "below").get("k", lambda: REPLAY) == REPLAY


def test_old_replays_go(tmp_path: Path) -> None:
    """The folder does not grow without end."""
    cache = ReplayCache(tmp_path)
    for number in range(KEPT + 5):
        cache.get(f"k{number}", lambda: REPLAY)
    assert len(list(tmp_path.iterdir())) == KEPT


@pytest.mark.parametrize(
    "other",
    [
        ((B, A), *SAME[1:]),
        ((A,), *SAME[1:]),
        ((A, replace(B, checksum="edited")), *SAME[1:]),
        (SAME[0], replace(FAILED, checksum="edited"), *SAME[2:]),
        (*SAME[:2], "embedded PostgreSQL 19.0", *SAME[3:]),
        (*SAME[:3], "app", *SAME[4:]),
        (*SAME[:4], (StandIn("x", "1", "other"),), *SAME[5:]),
        (*SAME[:4], (), *SAME[5:]),
        (*SAME[:5], Roles("postgres", ("other",)), SAME[6]),
        (*SAME[:5], Roles("app", ()), SAME[6]),
        (*SAME[:6], Surroundings(("CREATE SCHEMA auth",), ())),
    ],
)
def test_anything_that_a_replay_depends_on_gives_another_key(other: tuple[object, ...]) -> None:
    """Contents and order of the base, the script, the server, the schema, stand-ins, roles, what surrounds it."""
    same = key(*SAME, on_rows=True)
    assert key(*SAME, on_rows=True) == same
    assert key(*other, on_rows=True) != same  # type: ignore[arg-type]
    assert key(*SAME, on_rows=False) != same


def test_a_change_of_any_code_that_makes_replays_makes_them_anew() -> None:
    """The key covers each module that a replay is made by: all that `recovery.replay` imports, directly or not."""
    covered = {module for module in closure("recovery.replay") if module.startswith(tuple(f"{room}." for room in CODE))}
    beside = closure("recovery.replay") - covered - set(CODE)
    # Errors and events tell of a replay, and a folder's place changes nothing in it.
    assert beside == {"recovery", "recovery.errors", "recovery.events", "recovery.files"}
    assert all(any(module.startswith(f"{room}.") for module in covered) for room in CODE)
