"""Replays kept between runs (RULES E16), as the evidence uses them; the key's parts are in tests/replay."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.files import cache_folder
from recovery.replay import cache
from tests.integration.rules.production import APPLIED, NOT_APPLIED, Production, verdict

SCRIPT = "CREATE TABLE IF NOT EXISTS z (id int)"


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of replays, empty."""
    prepared = cache_folder()
    folder = tmp_path / "cache"
    folder.mkdir()
    for each in prepared.iterdir() if prepared.is_dir() else ():
        if each.name != "replays":
            (folder / each.name).symlink_to(each)
    monkeypatch.setenv("PRISMA_RECOVERY_CACHE", str(folder))
    return folder / "replays"


def test_a_second_look_makes_nothing_anew(production: Production, kept: Path) -> None:
    """E16: one entry, whole, and no temporary file beside it."""
    production.failed(SCRIPT)
    assert verdict(production.judge()) == NOT_APPLIED
    (entry,) = kept.iterdir()
    made = entry.stat().st_mtime_ns
    assert verdict(production.judge()) == NOT_APPLIED
    assert [each.stat().st_mtime_ns for each in kept.iterdir()] == [made]


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda _: b"x" * 100, lambda whole: whole.replace(b"public.z", b"public.y")],
    ids=["empty", "other bytes", "another table"],
)
def test_a_damaged_entry_decides_nothing(production: Production, kept: Path, damage: Callable[[bytes], bytes]) -> None:
    """E16: it is made anew, and replaced."""
    production.failed(SCRIPT)
    production.run("CREATE TABLE z (id int)")
    assert verdict(production.judge()) == APPLIED
    (entry,) = kept.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    assert verdict(production.judge()) == APPLIED
    assert entry.read_bytes() == whole


def test_another_history_before_it_is_another_replay(production: Production, kept: Path) -> None:
    """E16: with the table in the base, the very same script changes nothing."""
    production.failed(SCRIPT)
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("CREATE TABLE z (id int)")
    assert verdict(production.judge()) == APPLIED
    production.row("20260102_stamped", production.file("20260102_stamped", SCRIPT), finished=True, steps=0)
    assert verdict(production.judge()) != APPLIED
    # Two of the script; two of the stamped one, which finished later: without the failed one, and after it (E29).
    assert len(list(kept.iterdir())) == 4


def test_other_rules_make_other_replays(production: Production, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E16: what older rules kept is not looked at."""
    production.failed(SCRIPT)
    production.judge()
    monkeypatch.setattr(cache, "RULES_VERSION", cache.RULES_VERSION + 1)
    production.judge()
    assert len(list(kept.iterdir())) == 2
