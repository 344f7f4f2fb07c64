"""What lasts, in a log: told seldom, and only where it lasts. Time is injected."""

from io import StringIO

from rich.console import Console

from recovery.events import Event, OutputLine, Progressed, Task
from recovery.report.live import Activity, Pace, described, paced

DEPLOY = Progressed(
    Task.COMMAND,
    34.2,
    1,
    3,
    "20260217200000_golden_first_intake",
    "AccessExclusiveLock on public.places",
    ("pid 7 (postgres, psql, local, idle in transaction since 03:12:09 UTC)",),
)


class Clock:
    """Seconds, as a test sets them."""

    now = 0.0  # seconds

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_what_lasts_is_told_after_ten_seconds_and_then_less_and_less_often() -> None:
    """Of one word a second in an hour, those at 10, 30, 70, 150 s and so on are told, and then one in five minutes."""
    clock = Clock()
    pace = Pace(clock)
    told = []
    for second in range(1801):
        clock.now = float(second)
        if pace.due():
            told.append(second)
    assert told == [10, 30, 70, 150, 310, 610, 910, 1210, 1510]


def test_what_begins_anew_is_patient_anew() -> None:
    """After another state has begun, ten seconds pass again."""
    clock = Clock()
    pace = Pace(clock)
    clock.now = 500.0
    assert pace.due()
    pace.begin()
    clock.now = 509.0
    assert not pace.due()
    clock.now = 510.0
    assert pace.due()


def test_a_log_has_a_line_only_once_something_takes_long() -> None:
    """Nothing within ten seconds; then how far it is and who blocks it, in one line without control characters."""
    clock, file = Clock(), StringIO()
    activity = Activity(Console(file=file, width=400), clock)
    activity.begin("DEPLOY")
    clock.now = 9.0
    activity.told(DEPLOY)
    assert file.getvalue() == ""
    clock.now = 11.0
    activity.told(DEPLOY)
    activity.told(DEPLOY)
    activity.end()
    (line,) = file.getvalue().splitlines()
    assert line.startswith("  … DEPLOY 11 s: 1 of 3 deployed")
    for part in ("golden_first_intake for 34 s", "AccessExclusiveLock on public.places", "blocked by pid 7 (postgres"):
        assert part in line
    assert "\x1b" not in line


def test_nothing_is_told_while_a_person_types() -> None:
    """A question is not interrupted, however long the answer takes; and then the patience begins anew."""
    clock, file = Clock(), StringIO()
    activity = Activity(Console(file=file, width=400), clock)
    activity.begin("CLASSIFY")
    with activity.paused():
        clock.now = 100.0
        activity.told(DEPLOY)
    clock.now = 105.0
    activity.told(DEPLOY)
    assert file.getvalue() == ""


def test_a_replay_beside_a_command_does_not_hide_it() -> None:
    """While Prisma deploys, the next replay has begun: shown is the deploy."""
    clock, file = Clock(), StringIO()
    activity = Activity(Console(file=file, width=400), clock)
    activity.begin("DEPLOY")
    clock.now = 5.0
    activity.told(DEPLOY)
    clock.now = 20.0
    activity.told(Progressed(Task.REPLAY, 3.0, 10, 800, "20260101_a"))
    assert file.getvalue() == ""
    activity.over()
    activity.told(Progressed(Task.REPLAY, 3.0, 10, 800, "20260101_a"))
    assert "replaying the history: 10 of 800 migrations" in file.getvalue()


def test_a_held_lock_is_named_with_its_holder() -> None:
    """Waiting for Prisma's lock says for how long, and who has it."""
    first, second = described(Progressed(Task.LOCK, 4.0, blocked_by=("pid 9 (app)",)))
    assert first == "waiting for Prisma's migration lock for 4 s"
    assert second == "held by pid 9 (app)"


def test_everything_else_is_passed_on_as_it_comes() -> None:
    """Of progress only what is due; any other event at once."""
    clock, seen = Clock(), list[Event]()
    emit = paced(seen.append, clock)
    for second in range(12):
        clock.now = float(second)
        emit(DEPLOY)
    assert seen == [DEPLOY]
    emit(OutputLine("a"))
    assert seen == [DEPLOY, OutputLine("a")]
