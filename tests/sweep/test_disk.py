"""The journal's disk: full at any append; and what is on it when a command begins."""

import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recovery.errors import JournalError
from recovery.journal import JournalEvent
from recovery.journal.sqlite import SqliteJournal
from states.exit_codes import Exit
from tests.sweep.flushes import unflushed
from tests.sweep.rehearsal import Rehearsal
from tests.sweep.scenarios import SCENARIOS, absent, pipeline


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """No file of this process grows beyond that, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@dataclass
class Filling:
    """A journal in a file; from one of its appends on, the disk is full."""

    journal: SqliteJournal
    full_at: int
    size: int
    appended: int = 0

    def __post_init__(self) -> None:
        self.events, self.runs, self.close = self.journal.events, self.journal.runs, self.journal.close

    def append(self, run: str, kind: str, state: str, payload: dict[str, Any]) -> JournalEvent:
        """See `Journal.append`."""
        self.appended += 1
        if self.appended < self.full_at:
            return self.journal.append(run, kind, state, payload)
        with no_file_beyond(self.size):
            return self.journal.append(run, kind, state, payload)


def on_disk(rehearsal: Rehearsal, folder: Path) -> Rehearsal:
    """The rehearsal with its journal in a file."""
    rehearsal.journals = lambda _store, _ticks: SqliteJournal.open(folder, "t")
    return rehearsal


#: Nothing can be written; what undoes a transaction can be begun; it can be written, and the file can't grow.
SIZES = (0, 600, 12_288)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["absent", "pipeline"])
def test_the_disk_is_full_from_some_append_on(tmp_path: Path, name: str, size: int) -> None:
    """Whichever it is: no effect without its intent; and once there is room, the end of an undisturbed recovery."""
    expected = SCENARIOS[name].make()
    expected.through()
    refused = 0
    for full_at in range(1, 60):
        folder = tmp_path / str(full_at)
        folder.mkdir()
        rehearsal = on_disk(SCENARIOS[name].make(), folder)
        with closing(Filling(SqliteJournal.open(folder, "t"), full_at, size)) as filling:
            rehearsal.journals, opened = lambda _store, _ticks, filling=filling: filling, rehearsal.journals
            try:
                assert rehearsal.once() is not None
            except JournalError as error:
                assert error.code == "journal.unwritable"  # noqa: PT017 - it need not be raised
                refused += 1
        rehearsal.journals = opened
        assert rehearsal.through().exit_code is Exit.READY
        assert rehearsal.world() == expected.world(), full_at
        rehearsal.check_journal()
        if filling.appended < full_at:
            break
    assert filling.appended < full_at, "the recovery has more appends than were tried"
    assert refused >= (full_at - 1 if size == 0 else 1)


@pytest.mark.parametrize("make", [absent, pipeline])
def test_when_a_command_begins_its_intent_is_on_the_disk(tmp_path: Path, make: Any) -> None:  # noqa: ANN401 - a scenario
    """Nothing that SQLite has written is left unflushed then, neither in the journal nor in what undoes it."""
    with unflushed() as files:
        rehearsal = on_disk(make(), tmp_path)
        at_effects: list[set[str]] = []
        rehearsal.on_effect = lambda _: at_effects.append(set(files))
        assert rehearsal.through().exit_code is Exit.READY
    assert at_effects == [set()] * len(rehearsal.commands)
    assert len(at_effects) == 2


def test_a_journal_that_flushes_less_is_seen_to(tmp_path: Path) -> None:
    """The test above would find it."""
    with unflushed() as files, closing(SqliteJournal.open(tmp_path, "t")) as journal:
        journal.append("r", "k", "s", {})
        assert files == set()
        for weaker in ("NORMAL", "OFF"):
            journal._connection.execute(f"PRAGMA synchronous = {weaker}")  # noqa: SLF001 - it has no other way
            journal.append("r", "k", "s", {})
            assert files
            journal._connection.execute("PRAGMA synchronous = FULL")  # noqa: SLF001 - it has no other way
            journal.append("r", "k", "s", {})
            assert files == set()
