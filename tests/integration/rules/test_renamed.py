"""RULES E2, E17, E27: the folder of a migration was renamed after it was attempted, so its rows have another name."""

from contextlib import closing

import pytest

from recovery.app.observer import Observer
from recovery.evidence.pending import Compared
from recovery.preflight.expectation import Expectation
from states.evidence import Decision, Verdict
from states.facts import History
from tests.integration.rules.production import LOGS, NOT_APPLIED, UNDECIDABLE, Production, verdict

OLD, NEW = "20260110_old", "20260111_new"
SCRIPT = "ALTER TABLE t ADD b int; UPDATE t SET a = a + 1;"


def seen(production: Production) -> tuple[History, Compared]:
    """The history as INSPECT finds it, and the pending migrations beside production."""
    with closing(production.target()) as target:
        observer = Observer(target, production.folder, production.workshop, Expectation(typed=production.database))
        inspected = observer.inspect()
        return inspected.history, observer.compare(inspected, failed=bool(inspected.history.failed))


def renamed(production: Production, script: str = "") -> None:
    """The folder has its new name, and the script is another one if there is one."""
    (production.folder / OLD).rename(production.folder / NEW)
    if script:
        production.file(NEW, script)


@pytest.mark.parametrize(
    ("edited", "ran", "expected"),
    [
        ("", ["UPDATE t SET a = a + 1"], UNDECIDABLE),
        ("UPDATE t SET a = a + 1; ALTER TABLE t ADD c int;", ["UPDATE t SET a = a + 1"], UNDECIDABLE),
        ("", [], UNDECIDABLE),
    ],
    ids=["its rows were written", "edited as well", "as far as is known"],
)
def test_what_was_rolled_back_under_another_name_is_judged(
    production: Production, edited: str, ran: list[str], expected: tuple[Verdict, Decision]
) -> None:
    """E2: an attempt is one of the script that it ran, whatever the folder is called now; a deploy would repeat it."""
    production.failed("UPDATE t SET a = a + 1; ALTER TABLE t ADD b int;", OLD, rolled_back=True, logs="")
    production.commit()
    production.apart(*ran)
    renamed(production, edited)
    history, _ = seen(production)
    assert (history.failed, history.pending) == ((NEW,), (NEW,))
    assert verdict(production.judge(NEW)) == expected


def test_what_left_nothing_runs_under_its_new_name(production: Production) -> None:
    """Only its schema counts, and nothing of it is there."""
    production.failed("CREATE TABLE u (id int);", OLD, rolled_back=True, logs=LOGS)
    renamed(production)
    assert verdict(production.judge(NEW)) == NOT_APPLIED


def test_another_script_is_another_migration(production: Production) -> None:
    """Somebody gave a migration up, and wrote one that has none of its work on rows: that was never attempted."""
    production.failed("UPDATE t SET a = a + 1;", OLD, rolled_back=True, logs="")
    production.commit()
    renamed(production, "CREATE TABLE u (id int); UPDATE t SET a = 0;")
    history, compared = seen(production)
    assert (history.failed, history.pending, compared.found) == ((), (NEW,), ())


@pytest.mark.parametrize(
    ("script", "steps", "decision"),
    [
        (SCRIPT, 1, Decision.MARK_APPLIED),
        ("UPDATE t SET a = a + 1;", 1, Decision.OPERATOR),
        ("UPDATE t SET a = a + 1;", 0, Decision.OPERATOR),
        ("CREATE TABLE u (id int);", 0, Decision.OPERATOR),
    ],
)
def test_what_finished_under_another_name_is_not_run_again(
    production: Production, script: str, steps: int, decision: Decision
) -> None:
    """E27: a deploy would run it a second time, unless it is a new migration that says what a removed one said."""
    production.finished(OLD, script, steps)
    renamed(production)
    _, compared = seen(production)
    assert [(each.evidence.migration, each.evidence.decision) for each in compared.found] == [(NEW, decision)]


def test_what_was_removed_and_written_again_runs_again(production: Production) -> None:
    """E27: a later migration took its column away, and a new one with the same script is to bring it back."""
    production.finished(OLD, SCRIPT)
    production.finished("20260110_undone", "ALTER TABLE t DROP COLUMN b")
    renamed(production)
    _, compared = seen(production)
    assert [each.evidence.decision for each in compared.found] == [Decision.OPERATOR]


def test_the_same_script_twice_in_the_folder_runs_twice(production: Production) -> None:
    """Both names are there, so nothing was renamed: the history has the same statements twice."""
    production.finished(OLD, "UPDATE t SET a = a + 1;")
    production.file(NEW, "UPDATE t SET a = a + 1;")
    _, compared = seen(production)
    assert compared.found == ()
