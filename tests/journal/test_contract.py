"""What every journal promises, against the fake and the real ones alike."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recovery.errors import JournalError
from recovery.journal import Journal, JournalEvent
from recovery.journal.postgres import PostgresJournal
from recovery.journal.sqlite import SqliteJournal
from recovery.postgres.url import parse
from recovery.testing import MemoryJournal

Opener = Callable[[str], Journal]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def open_journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens journals of one store, by target."""
    opened: list[Journal] = []
    if request.param == "postgres":
        url = parse(request.getfixturevalue("database"))

        def make(target: str) -> Journal:
            return PostgresJournal.open(url, target)

    elif request.param == "sqlite":

        def make(target: str) -> Journal:
            return SqliteJournal.open(tmp_path, target)

    else:
        store: dict[tuple[str, str], list[bytes]] = {}

        def make(target: str) -> Journal:
            return MemoryJournal(target, store)

    def open_one(target: str) -> Journal:
        opened.append(make(target))
        return opened[-1]

    yield open_one
    for journal in opened:
        journal.close()


def test_events_come_back_in_order_and_numbered_from_one(open_journal: Opener) -> None:
    """Events come back in order and numbered from one."""
    journal = open_journal("t")
    written = tuple(journal.append("r", kind, "INSPECT", {"n": [kind]}) for kind in "abc")
    assert [event.seq for event in written] == [1, 2, 3]
    assert journal.events("r") == written
    assert open_journal("t").events("r") == written


def test_time_is_utc(open_journal: Opener) -> None:
    """An event's time is ISO 8601 in UTC."""
    event = open_journal("t").append("r", "k", "s", {})
    assert datetime.fromisoformat(event.time).utcoffset() == timedelta(0)


def test_runs_are_listed_oldest_first(open_journal: Opener) -> None:
    """Runs are listed by their first event, oldest first."""
    journal = open_journal("t")
    for run in ("z", "a", "z", "m"):
        journal.append(run, "k", "s", {})
    assert journal.runs() == ("z", "a", "m")
    assert [event.seq for event in journal.events("z")] == [1, 2]


def test_an_unknown_run_has_no_events(open_journal: Opener) -> None:
    """An unknown run has no events, and asking for it makes none."""
    journal = open_journal("t")
    assert journal.events("r") == ()
    assert journal.runs() == ()


def test_other_targets_are_invisible(open_journal: Opener) -> None:
    """Events of another target are invisible, also under the same run."""
    one, other = open_journal("one"), open_journal("other")
    one.append("r", "k", "s", {"of": "one"})
    assert other.events("r") == ()
    assert other.runs() == ()
    assert other.append("r", "k", "s", {}).seq == 1
    assert [event.payload for event in one.events("r")] == [{"of": "one"}]


def test_the_second_of_two_writers_loses(open_journal: Opener) -> None:
    """Who appends behind an event that it has not seen gets a conflict, and nothing is written."""
    one, other = open_journal("t"), open_journal("t")
    one.append("r", "k", "s", {})
    other.events("r")
    one.append("r", "by one", "s", {})
    with pytest.raises(JournalError) as caught:
        other.append("r", "by other", "s", {})
    assert caught.value.code == "journal.conflict"
    assert [event.kind for event in one.events("r")] == ["k", "by one"]
    one.append("r", "goes on", "s", {})


def test_who_only_wrote_loses_as_well(open_journal: Opener) -> None:
    """What a writer has appended itself counts as seen by it; what somebody else put behind that does not."""
    one, other = open_journal("t"), open_journal("t")
    one.append("r", "k", "s", {})
    other.append("r", "by other", "s", {})
    with pytest.raises(JournalError) as caught:
        one.append("r", "by one", "s", {})
    assert caught.value.code == "journal.conflict"
    assert [event.kind for event in other.events("r")] == ["k", "by other"]


def test_a_loser_that_reads_again_can_append(open_journal: Opener) -> None:
    """After a conflict, reading the run brings the loser up to date."""
    one, other = open_journal("t"), open_journal("t")
    other.events("r")
    one.append("r", "k", "s", {})
    with pytest.raises(JournalError):
        other.append("r", "k", "s", {})
    other.events("r")
    assert other.append("r", "k", "s", {}).seq == 2


def test_a_writer_that_never_looked_appends_at_the_end(open_journal: Opener) -> None:
    """A writer that has not read the run appends behind whatever is there."""
    open_journal("t").append("r", "k", "s", {})
    assert open_journal("t").append("r", "k", "s", {}).seq == 2


def test_a_payload_that_is_not_json_is_refused(open_journal: Opener) -> None:
    """A payload that is not JSON raises TypeError, and nothing is recorded."""
    journal = open_journal("t")
    with pytest.raises(TypeError):
        journal.append("r", "k", "s", {"x": object()})
    assert journal.events("r") == ()
    assert journal.runs() == ()
    assert journal.append("r", "k", "s", {}).seq == 1


def test_a_payload_is_recorded_as_it_was_when_appended(open_journal: Opener) -> None:
    """Changing a payload after it was appended changes no record."""
    journal = open_journal("t")
    payload: dict[str, Any] = {"list": [1]}
    event = journal.append("r", "k", "s", payload)
    payload["list"].append(2)
    assert event.payload == {"list": [1]}
    assert journal.events("r")[0].payload == {"list": [1]}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(payload=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), _JSON, max_size=4))
def test_any_json_comes_back_unchanged(open_journal: Opener, payload: dict[str, Any]) -> None:
    """Any JSON object comes back as it was written."""
    journal = open_journal("t")
    event = journal.append("r", "k", "s", payload)
    last: JournalEvent = journal.events("r")[-1]
    assert last == event
    assert last.payload == payload
    journal.close()
