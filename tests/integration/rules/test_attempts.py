"""What ran is found by its checksum, and what ran to its end is never run again (RULES E2, E3, F7)."""

import hashlib

import pytest

from states.evidence import Decision, Verdict
from tests.integration.rules.production import (
    APPLIED,
    DRIFTED,
    FAILED,
    LOGS,
    NOT_APPLIED,
    NOT_ATTEMPTED,
    PARTIAL,
    UNDECIDABLE,
    Production,
    verdict,
)

RAN = "ALTER TABLE t ADD b int;\nALTER TABLE t ADD c int;\n"
EDITED = "ALTER TABLE t ADD b int;\nALTER TABLE t ADD d int;\n"


def test_an_attempt_is_judged_by_the_script_that_it_ran(production: Production) -> None:
    """E2: the file was edited since; git's history has what ran, and nothing of that is in production."""
    production.failed(RAN)
    production.commit()
    production.file(FAILED, EDITED)
    production.commit()
    assert verdict(production.judge()) == NOT_APPLIED


def test_the_file_as_it_is_now_proves_nothing_about_what_ran(production: Production) -> None:
    """E2: production is where the edited file begins, and half of what ran is in it."""
    production.failed("ALTER TABLE t ADD c int; ALTER TABLE t ADD b int;")
    production.commit()
    production.file(FAILED, "ALTER TABLE t ADD b int;")
    production.run("ALTER TABLE t ADD c int")
    assert verdict(production.judge()) == (Verdict.PARTIAL, Decision.OPERATOR)


@pytest.mark.parametrize(
    ("ran", "left", "expected"),
    [
        (RAN, "", APPLIED),
        (RAN, "ALTER TABLE t ADD c int", UNDECIDABLE),
        (RAN + "UPDATE t SET a = 2;", "", UNDECIDABLE),
        ("ALTER TABLE t ADD b text;", "", APPLIED),
        ("ALTER TABLE t ADD nowhere int; ALTER TABLE missing ADD x int;", "", UNDECIDABLE),
    ],
    ids=["nothing else", "a column", "maybe rows", "another type", "not replayed"],
)
def test_the_edited_file_was_run_by_hand(
    production: Production, ran: str, left: str, expected: tuple[Verdict, Decision]
) -> None:
    """E17, E22: production is as if the present file had run once, unless what ran before left something, too."""
    production.failed(ran)
    production.commit()
    production.file(FAILED, EDITED)
    production.run(EDITED + left)
    found = verdict(production.judge())
    assert found == expected or (expected == UNDECIDABLE and found[1] is Decision.OPERATOR)


@pytest.mark.parametrize(
    ("ran", "edited"),
    [
        ("ALTER TABLE n ADD b int;\nCREATE TABLE n (id int);", "CREATE TABLE n (id int);\nALTER TABLE n ADD b int;"),
        ("ALTER TABLE t DROP a;", "ALTER TABLE t DROP a;\nCREATE TABLE n (id int);"),
    ],
    ids=["its order was wrong", "it only dropped"],
)
def test_what_ran_holds_no_more_than_the_edited_file(production: Production, ran: str, edited: str) -> None:
    """E17, E22: all that may have run is in the present file, too, which is in production wholly."""
    production.failed(ran)
    production.commit()
    production.file(FAILED, edited)
    production.run(edited)
    assert verdict(production.judge()) == APPLIED


@pytest.mark.parametrize("file_ran", [False, True])
@pytest.mark.parametrize(
    ("ran", "back"),
    [
        ("ALTER TABLE t DROP COLUMN a;", "ALTER TABLE t ADD COLUMN a int"),
        ("DROP TABLE u;", "CREATE TABLE u (id int PRIMARY KEY, n numeric)"),
        ("DROP SEQUENCE s;", "CREATE SEQUENCE s"),
        ("ALTER TABLE u ALTER n TYPE int;", "ALTER TABLE u ALTER n TYPE numeric"),
    ],
)
def test_what_ran_lost_rows_and_the_edited_file_does_not(
    production: Production, ran: str, back: str, *, file_ran: bool
) -> None:
    """E17: somebody has made again what the first version lost, and nothing brings back what it held."""
    production.before("CREATE TABLE u (id int PRIMARY KEY, n numeric);")
    production.run("INSERT INTO u VALUES (1, 1.5); SELECT setval('s', 500)")
    production.failed(f"{ran} CREATE TABLE y (id int);")
    production.commit()
    production.file(FAILED, "CREATE TABLE z (id int);")
    production.run(f"{ran} {back}")
    if file_ran:
        production.run("CREATE TABLE z (id int)")
    assert production.judge().decision is Decision.OPERATOR


@pytest.mark.parametrize("in_git", [False, True], ids=["without git", "in git without that version"])
@pytest.mark.parametrize("there", [False, True], ids=["absent", "in place"])
def test_a_script_that_is_not_found_decides_nothing(production: Production, *, in_git: bool, there: bool) -> None:
    """E2: nobody knows what it did, whatever the file of today would say."""
    production.row(FAILED, hashlib.sha256(b"lost").hexdigest(), finished=False, steps=0, logs=LOGS)
    production.file(FAILED, EDITED)
    if in_git:
        production.commit()
    if there:
        production.run(EDITED)
    assert verdict(production.judge()) == UNDECIDABLE


def test_each_attempt_counts_by_its_own_script(production: Production) -> None:
    """E2: the first attempt's script is in production, the second one's isn't: neither of both is the truth."""
    production.failed(RAN, rolled_back=True)
    production.commit()
    production.failed("CREATE TABLE z (id int);")
    production.commit()
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(RAN)
    assert verdict(production.judge()) == UNDECIDABLE


def test_one_lost_attempt_among_others_decides_nothing(production: Production) -> None:
    """E2: its traces may be anywhere."""
    lost = hashlib.sha256(b"lost").hexdigest()
    production.row(FAILED, lost, finished=False, steps=0, logs=LOGS, rolled_back=True)
    production.failed(RAN)
    assert verdict(production.judge()) == UNDECIDABLE
    production.run(RAN)
    assert verdict(production.judge()) == UNDECIDABLE


def test_applied_needs_the_file_of_today_in_place_too(production: Production) -> None:
    """E2: what ran is in production, and the file asks for more: marked applied, that would never be made."""
    production.failed(RAN)
    production.commit()
    production.run(RAN)
    assert verdict(production.judge()) == APPLIED
    production.file(FAILED, RAN + "ALTER TABLE t ADD d int;")
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_file_that_is_gone_is_not_marked_applied(production: Production) -> None:
    """E2: `resolve --applied` needs the folder; git's history alone is not the file of today."""
    production.failed(RAN)
    production.commit()
    production.run(RAN)
    (production.folder / FAILED / "migration.sql").unlink()
    (production.folder / FAILED).rmdir()
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize("ran_with", ["\r\n", "\n"])
def test_other_line_endings_are_the_same_script(production: Production, ran_with: str) -> None:
    """E2: checked out with CRLF, or deployed with it: Prisma takes both for the same, and so do we."""
    script = RAN.replace("\n", ran_with)
    production.failed(script)
    production.file(FAILED, RAN if ran_with == "\r\n" else RAN.replace("\n", "\r\n"))
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(script)
    assert verdict(production.judge()) == APPLIED


#: A function whose body spans lines, and keeps their ends as they were written.
BODY = "ALTER TABLE t ADD b int;\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\n SELECT 1\n$$;\n"


@pytest.mark.parametrize("ran_with", ["\r\n", "\n"])
@pytest.mark.parametrize("checked_out_with", ["\r\n", "\n"])
@pytest.mark.parametrize("run_with", ["\r\n", "\n"])
def test_line_endings_within_a_body_are_the_scripts_own(
    production: Production, ran_with: str, checked_out_with: str, run_with: str
) -> None:
    """E2: whoever ran the script, with whichever line ends, its function is the one that the script makes."""
    production.failed(BODY.replace("\n", ran_with))
    production.file(FAILED, BODY.replace("\n", checked_out_with))
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(BODY.replace("\n", run_with))
    assert verdict(production.judge()) == APPLIED
    found = production.judge()
    production.run("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$\n SELECT 2\n$$;")
    assert verdict(production.judge()) == DRIFTED
    assert found.differences == ()


def test_line_endings_are_a_change_where_the_script_makes_it(production: Production) -> None:
    """E2: a script that only gives a body other line ends is seen as done or not done."""
    windows = "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$\r\n SELECT 1\r\n$$;"
    production.before(windows.replace("\r\n", "\n").replace("OR REPLACE ", ""))
    production.failed(f"{windows}\nALTER TABLE t ADD b int;")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(windows)
    assert verdict(production.judge()) == PARTIAL


def test_a_line_end_in_a_value_is_part_of_it(production: Production) -> None:
    """E2: a default with a carriage return is another than one without, whoever wrote it."""
    production.failed("ALTER TABLE t ADD b text DEFAULT E'x\\r\\ny';")
    production.run("ALTER TABLE t ADD b text DEFAULT E'x\\ny'")
    assert verdict(production.judge()) == DRIFTED


@pytest.mark.parametrize("rolled_back", [False, True])
@pytest.mark.parametrize("later_attempt", [False, True])
def test_an_attempt_that_ran_to_its_end_forbids_a_second_run(
    production: Production, *, rolled_back: bool, later_attempt: bool
) -> None:
    """E3: of any attempt, rolled back or not; production that doesn't show it was changed since."""
    production.failed(RAN, steps=1, rolled_back=rolled_back)
    if later_attempt:
        production.failed(RAN)
    assert verdict(production.judge()) == (NOT_ATTEMPTED if rolled_back else DRIFTED)
    production.run(RAN)
    assert verdict(production.judge()) == APPLIED


def test_half_of_what_ran_to_its_end_is_drift(production: Production) -> None:
    """E3: the first statement is there and the second isn't: it was undone, it isn't missing."""
    production.failed(RAN, steps=1)
    production.run("ALTER TABLE t ADD b int")
    assert verdict(production.judge()) == DRIFTED


@pytest.mark.parametrize("script", ["UPDATE t SET a = 2;", "TRUNCATE t;", "-- nothing\n", "DO $$ BEGIN NULL; END $$;"])
@pytest.mark.parametrize("rolled_back", [False, True])
def test_what_ran_to_its_end_and_leaves_no_trace_is_applied(
    production: Production, script: str, *, rolled_back: bool
) -> None:
    """E3: nothing to see in the schema, and the count alone proves that it ran, unless it was withdrawn (E23)."""
    production.failed(script, steps=1, rolled_back=rolled_back)
    evidence = production.judge()
    assert evidence.decision is (Decision.OPERATOR if rolled_back else Decision.MARK_APPLIED)


def test_the_count_comes_before_every_other_rule(production: Production) -> None:
    """E3: not even one that was overtaken or can't be replayed is rolled back."""
    production.failed("ALTER TABLE t ADD b int; ALTER TABLE nowhere ADD c int;", steps=1)
    assert production.judge().decision is Decision.OPERATOR
    production.finished("20260120_later", "ALTER TABLE t ADD z int")
    assert production.judge().decision is Decision.OPERATOR


@pytest.mark.parametrize("there", [False, True], ids=["gone again", "in place"])
@pytest.mark.parametrize("steps", [0, 1], ids=["stamped", "deployed"])
def test_a_dead_attempt_of_a_finished_migration_is_never_marked_applied(
    production: Production, steps: int, *, there: bool
) -> None:
    """F7: `--applied` is refused there (P3008); in place the dead attempt is withdrawn, else a person is asked."""
    production.failed(RAN)
    production.finished(FAILED, RAN, steps=steps)
    if not there:
        production.run("ALTER TABLE t DROP b, DROP c")
    found = production.judge()
    assert found.decision is (Decision.MARK_ROLLED_BACK if there else Decision.OPERATOR)
