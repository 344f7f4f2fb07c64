"""What only the journal on disk has to withstand."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from recovery.errors import JournalError
from recovery.journal.sqlite import SqliteJournal, all_targets
from recovery.journal.sqlite_file import FORMAT, LOCK_TIMEOUT, connect, journal_file

REPOSITORY = Path(__file__).parents[2]
NOBODY = 65534


def filled(folder: Path, events: int = 3) -> Path:
    """A journal with some events; its file."""
    journal = SqliteJournal.open(folder, "target")
    for number in range(events):
        journal.append("run", "kind", "INSPECT", {"number": number, "text": "some text"})
    journal.close()
    return journal_file(folder)


def in_child(code: str, *args: object, uid: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run `code` in another process; as another user where `uid` is given."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        user=uid,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path])},
    )


def test_folder_and_file_are_private(tmp_path: Path) -> None:
    """Nobody else may read the journal, whatever the umask, and whatever the modes were."""
    before = os.umask(0)
    try:
        path = filled(tmp_path)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
        path.parent.chmod(0o755)
        path.chmod(0o644)
        SqliteJournal.open(tmp_path, "target").close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("writing", [True, False])
def test_every_connection_flushes_fully(tmp_path: Path, *, writing: bool) -> None:
    """`synchronous` is FULL by our own setting, and the rollback journal is truncated."""
    connection = connect(filled(tmp_path), writing=writing)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("truncate",)
    connection.close()


def test_finding_makes_nothing(tmp_path: Path) -> None:
    """Where there is no journal, looking for one finds none and makes none."""
    assert SqliteJournal.find(tmp_path, "target") is None
    assert all_targets(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_a_journal_that_was_never_begun(tmp_path: Path) -> None:
    """A kill between making the file and its first write leaves nothing to repair."""
    path = journal_file(tmp_path)
    path.parent.mkdir()
    path.touch()
    assert SqliteJournal.find(tmp_path, "target") is None
    assert SqliteJournal.open(tmp_path, "target").append("run", "k", "s", {}).seq == 1


def test_a_found_journal_can_be_read_and_not_written(tmp_path: Path) -> None:
    """A journal opened to be read refuses to write."""
    filled(tmp_path)
    journal = SqliteJournal.find(tmp_path, "target")
    assert journal is not None
    assert len(journal.events("run")) == 3
    with pytest.raises(JournalError) as caught:
        journal.append("run", "k", "s", {})
    assert caught.value.code == "journal.unwritable"


def test_all_targets_are_listed_with_their_runs(tmp_path: Path) -> None:
    """Targets are listed with their runs, oldest first."""
    for target, run in (("b", "2"), ("a", "9"), ("b", "1"), ("b", "2")):
        journal = SqliteJournal.open(tmp_path, target)
        journal.append(run, "k", "s", {})
        journal.close()
    assert all_targets(tmp_path) == {"b": ("2", "1"), "a": ("9",)}


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """A journal of a newer release is not touched."""
    path = filled(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()
    before = path.read_bytes()
    for use in (SqliteJournal.open, SqliteJournal.find):
        with pytest.raises(JournalError) as caught:
            use(tmp_path, "target")
        assert caught.value.code == "journal.newer_version"
    assert path.read_bytes() == before


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """Somebody else's SQLite file is not written to."""
    path = journal_file(tmp_path)
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE event (x)")
    connection.close()
    with pytest.raises(JournalError) as caught:
        SqliteJournal.open(tmp_path, "target")
    assert caught.value.code == "journal.corrupt"


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file that is no database at all is refused."""
    path = journal_file(tmp_path)
    path.parent.mkdir()
    path.write_text("not a database, but long enough to look like one" * 40)
    with pytest.raises(JournalError) as caught:
        SqliteJournal.open(tmp_path, "target")
    assert caught.value.code == "journal.corrupt"


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: float) -> None:
    """A journal that lost its end is not taken for a shorter journal."""
    path = filled(tmp_path, 60)
    os.truncate(path, int(path.stat().st_size * keep))
    with pytest.raises(JournalError) as caught:
        SqliteJournal.open(tmp_path, "target").events("run")
    assert caught.value.code == "journal.corrupt"


@pytest.mark.parametrize("value", [b"some text", b"INSPECT", b"+00:00", b"kind"])
def test_a_changed_value_is_noticed(tmp_path: Path, value: bytes) -> None:
    """A value that was changed in place, which SQLite itself does not notice, is noticed."""
    path = filled(tmp_path)
    content = path.read_bytes()
    where = content.rindex(value)
    path.write_bytes(content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :])
    with pytest.raises(JournalError) as caught:
        SqliteJournal.open(tmp_path, "target").events("run")
    assert caught.value.code == "journal.corrupt"


def test_no_flipped_byte_changes_what_is_read(tmp_path: Path) -> None:
    """Wherever a byte is flipped: runs and events are as they were, or the journal is called damaged.

    Where a row's run or target alone is changed, the row is whole and no more among those of its run: the index tells.
    """
    path = filled(tmp_path)
    content = path.read_bytes()

    def read() -> object:
        journal = SqliteJournal.find(tmp_path, "target")
        assert journal is not None
        try:
            return [journal.events(run) for run in journal.runs()], all_targets(tmp_path)
        finally:
            journal.close()

    expected = read()
    rows = content.rindex(b"\0" * 64) + 64  # a page is filled from its end
    for where in {*range(0, len(content), 97), *range(rows, len(content), 2)}:
        path.write_bytes(content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :])
        try:
            outcome = read()
        except JournalError as error:
            outcome = error.code
        assert outcome in (expected, "journal.corrupt", "journal.newer_version"), where


def test_a_lost_event_is_noticed(tmp_path: Path) -> None:
    """A run with a gap is not read as if it were whole."""
    path = filled(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM event WHERE seq = 2")
    connection.close()
    with pytest.raises(JournalError) as caught:
        SqliteJournal.open(tmp_path, "target").events("run")
    assert caught.value.code == "journal.corrupt"


def test_a_full_disk_records_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """When the disk is full the error says so, and what was recorded before is still there."""
    code = """
import resource, sys
from pathlib import Path
from recovery.errors import JournalError
from recovery.journal.sqlite import SqliteJournal
journal = SqliteJournal.open(Path(sys.argv[1]), "target")
journal.append("run", "before", "s", {})
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    while True:
        journal.append("run", "more", "s", {"x": "x" * 9000})
        print("recorded")
except JournalError as error:
    print(error.code)
    print(len(journal.events("run")))
"""
    child = in_child(code, tmp_path)
    *recorded, failure, left = child.stdout.split()
    assert failure == "journal.unwritable", child.stderr
    assert recorded
    assert int(left) == len(recorded) + 1
    assert len(SqliteJournal.open(tmp_path, "target").events("run")) == len(recorded) + 1


def test_a_file_where_the_folder_should_be_is_explained(tmp_path: Path) -> None:
    """A folder that cannot be made is an error that says so."""
    (tmp_path / ".prisma-recovery").write_text("")
    with pytest.raises(JournalError) as caught:
        SqliteJournal.open(tmp_path, "target")
    assert caught.value.code == "journal.unwritable"
    assert SqliteJournal.find(tmp_path, "target") is None


def test_a_missing_project_folder_is_explained(tmp_path: Path) -> None:
    """The project's own folder is never made."""
    with pytest.raises(JournalError) as caught:
        SqliteJournal.open(tmp_path / "missing", "target")
    assert caught.value.code == "journal.unwritable"
    assert not (tmp_path / "missing").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a child as another user")
def test_a_user_without_permission_gets_an_error(tmp_path: Path) -> None:
    """A user who may not write there is told so; nothing is made."""
    code = """
import os, sys
sys.path[:0] = [sys.argv[2]]
from pathlib import Path
from recovery.errors import JournalError
from recovery.journal.sqlite import SqliteJournal
os.setuid(int(sys.argv[3]))
try:
    SqliteJournal.open(Path(sys.argv[1]), "target")
except JournalError as error:
    print(error.code)
"""
    child = in_child(code, tmp_path, REPOSITORY, NOBODY)
    assert child.stdout.split() == ["journal.unwritable"], child.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_was_appended_survives_a_kill(tmp_path: Path) -> None:
    """An event whose append returned is there after SIGKILL."""
    code = """
import sys
from pathlib import Path
from recovery.journal.sqlite import SqliteJournal
journal = SqliteJournal.open(Path(sys.argv[1]), "target")
while True:
    print(journal.append("run", "k", "s", {}).seq, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path])},
    ) as child:
        assert child.stdout is not None
        for _ in range(20):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split()
    returned = int(rest[-1]) if rest else 20
    events = SqliteJournal.open(tmp_path, "target").events("run")
    assert len(events) in {returned, returned + 1}


def test_a_writer_that_holds_the_lock_is_named_in_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is never given back ends in an error, not in waiting for ever."""
    assert LOCK_TIMEOUT <= 10
    monkeypatch.setattr("recovery.journal.sqlite_file.LOCK_TIMEOUT", 0.1)
    path = filled(tmp_path)
    journal = SqliteJournal.open(tmp_path, "target")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError) as caught:
        journal.append("run", "k", "s", {})
    assert caught.value.code == "journal.locked"
    other.execute("ROLLBACK")
    other.close()
    assert journal.append("run", "k", "s", {}).seq == 4


def test_many_processes_can_begin_the_same_journal(tmp_path: Path) -> None:
    """Processes that open a new journal at the same time all succeed, and every event is kept."""
    code = """
import sys
from pathlib import Path
from recovery.journal.sqlite import SqliteJournal
journal = SqliteJournal.open(Path(sys.argv[1]), "target")
for _ in range(5):
    journal.append(sys.argv[2], "k", "s", {})
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path])}
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(number)], env=environment)
        for number in range(4)
    ]
    assert [child.wait(60) for child in children] == [0] * 4
    journal = SqliteJournal.open(tmp_path, "target")
    assert {run: len(journal.events(run)) for run in journal.runs()} == dict.fromkeys("0123", 5)
