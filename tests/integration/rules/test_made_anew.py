"""RULES E17, E20: somebody made a table, a partition or a type anew, so the schema is right, and the rows are not."""

import pytest

from states.evidence import Decision
from tests.integration.rules.production import APPLIED, NOT_APPLIED, UNDECIDABLE, Production, verdict
from tests.integration.rules.test_known_not_done import refused

COPY = "CREATE TABLE n (id int, a int); INSERT INTO n SELECT id, a FROM w;"
DROPPED = "DROP TABLE w;"
#: The table is dropped by a block all of whose statements are known.
IN_A_BLOCK = "DO $$ BEGIN DROP TABLE w; END $$;"
MADE_AGAIN = "CREATE TABLE w (id int, a int)"
BEFORE = "CREATE TABLE w (id int, a int)"


@pytest.mark.parametrize("drop", [DROPPED, IN_A_BLOCK], ids=["drop", "block"])
def test_a_table_that_was_made_again_empty_has_not_its_rows(production: Production, drop: str) -> None:
    """All of it ran, and was undone by hand but for the rows: a second run would copy none."""
    production.before(BEFORE)
    production.run("INSERT INTO w VALUES (1, 1)")
    production.failed(COPY + drop, logs=None)
    production.run(COPY + drop)
    production.run(f"DROP TABLE n; {MADE_AGAIN}")
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize("drop", [DROPPED, IN_A_BLOCK], ids=["drop", "block"])
def test_the_table_from_before_has_its_rows(production: Production, drop: str) -> None:
    """Nothing of it ran; the table is older than the attempt."""
    production.before(BEFORE)
    production.run("INSERT INTO w VALUES (1, 1)")
    production.failed(COPY + drop, logs=None)
    assert verdict(production.judge()) == NOT_APPLIED


PARTED = "CREATE TABLE m (id int) PARTITION BY RANGE (id);"
LONE = f"{PARTED} CREATE TABLE m1 (id int);"
WITHIN = f"{PARTED} CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (10);"
ATTACH = "ALTER TABLE m ATTACH PARTITION m1 FOR VALUES FROM (0) TO (10);"
DETACH = "ALTER TABLE m DETACH PARTITION m1;"


@pytest.mark.parametrize(("before", "script"), [(LONE, ATTACH), (WITHIN, DETACH)], ids=["attach", "detach"])
def test_a_partition_that_was_made_anew_has_other_rows(production: Production, before: str, script: str) -> None:
    """It stands where the script would have it, and is empty."""
    production.before(before)
    production.run("INSERT INTO m1 VALUES (1)")
    production.failed(script, logs=None)
    made = (
        "CREATE TABLE m1 (id int)" if script == DETACH else "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (10)"
    )
    production.run(f"DROP TABLE m1; {made}")
    assert production.judge().decision is Decision.OPERATOR


@pytest.mark.parametrize(("before", "script"), [(LONE, ATTACH), (WITHIN, DETACH)], ids=["attach", "detach"])
def test_a_partition_that_was_made_anew_where_nothing_ran(production: Production, before: str, script: str) -> None:
    """The script ran, somebody dropped the partition and made it as it was, empty: the rows are gone either way."""
    production.before(before)
    production.run("INSERT INTO m1 VALUES (1)")
    production.failed(script, logs=None)
    production.run(script)
    made = (
        "CREATE TABLE m1 (id int)" if script == ATTACH else "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (10)"
    )
    production.run(f"DROP TABLE m1; {made}")
    assert production.judge().decision is Decision.OPERATOR


@pytest.mark.parametrize(("before", "script"), [(LONE, ATTACH), (WITHIN, DETACH)], ids=["attach", "detach"])
@pytest.mark.parametrize("ran", [True, False])
def test_the_same_partition_is_proven_by_its_age(
    production: Production, before: str, script: str, *, ran: bool
) -> None:
    """It is older than the attempt, so its rows are those from before."""
    production.before(before)
    production.run("INSERT INTO m1 VALUES (1)")
    production.failed(script, logs=None)
    if ran:
        production.run(script)
    assert verdict(production.judge()) == (APPLIED if ran else NOT_APPLIED)


def test_a_partition_of_the_scripts_own_has_no_rows_from_before(production: Production) -> None:
    """What it makes and attaches is seen."""
    production.before(PARTED)
    production.failed(f"CREATE TABLE m1 (id int); {ATTACH}", logs=None)
    production.run(f"CREATE TABLE m1 (id int); {ATTACH}")
    assert verdict(production.judge()) == APPLIED


SWAPPED = (
    "ALTER TYPE e RENAME VALUE 'a' TO 'x'; ALTER TYPE e RENAME VALUE 'b' TO 'a'; ALTER TYPE e RENAME VALUE 'x' TO 'b';"
)
GIVEN_ON = "ALTER TYPE e RENAME VALUE 'a' TO 'x'; ALTER TYPE e ADD VALUE 'a' BEFORE 'b';"


@pytest.mark.parametrize(
    ("script", "labels"), [(SWAPPED, "'b', 'a'"), (GIVEN_ON, "'x', 'a', 'b'")], ids=["swapped", "given to a new one"]
)
def test_a_type_that_was_made_anew_keeps_what_rows_say(production: Production, script: str, labels: str) -> None:
    """By the script rows with a would say otherwise; by hand the column was cast, and they say a still."""
    production.before("CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE w (id int, c e)")
    production.run("INSERT INTO w VALUES (1, 'a')")
    production.failed(script, logs=None)
    production.run(
        f"BEGIN; ALTER TYPE e RENAME TO o; CREATE TYPE e AS ENUM ({labels});"
        " ALTER TABLE w ALTER c TYPE e USING c::text::e; DROP TYPE o; COMMIT"
    )
    assert production.judge().decision is Decision.OPERATOR


def test_a_label_with_a_name_of_its_own_is_seen(production: Production) -> None:
    """One label more, and another name for one: nothing is ambiguous."""
    script = "ALTER TYPE e RENAME VALUE 'a' TO 'x'; ALTER TYPE e ADD VALUE 'c';"
    production.before("CREATE TYPE e AS ENUM ('a', 'b')")
    production.failed(script, logs=None)
    production.run(script)
    assert verdict(production.judge()) == APPLIED


FILLED = "ALTER TABLE t ADD b int; UPDATE t SET b = 1;"
AUDIT = (
    "CREATE TABLE audit (id int); CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NEW; END';"
)
TRIGGER = "CREATE TRIGGER noting AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION noted();"
RULE = "CREATE RULE noting AS ON UPDATE TO t DO ALSO INSERT INTO audit VALUES (NEW.id);"


@pytest.mark.parametrize("own", [TRIGGER, RULE], ids=["trigger", "rule"])
def test_a_trigger_that_only_production_has_may_have_written_rows(production: Production, own: str) -> None:
    """The column that the script fills is gone again; what the trigger wrote is not, and would be written twice."""
    production.run(AUDIT + own)
    production.failed(FILLED, logs=None)
    production.run(FILLED)
    production.run("ALTER TABLE t DROP b")
    assert verdict(production.judge()) == UNDECIDABLE


def test_without_any_trigger_what_it_fills_is_gone_with_its_column(production: Production) -> None:
    """The same, and nothing runs with the UPDATE."""
    production.failed(FILLED, logs=None)
    assert verdict(production.judge()) == NOT_APPLIED


def test_the_logs_prove_what_a_trigger_did_not_do(production: Production) -> None:
    """PostgreSQL refused the script as a whole: no attempt fired it, and that nobody did is an assumption."""
    production.run(AUDIT + TRIGGER)
    production.failed(FILLED, logs=refused('column "b" of relation "t" already exists', "42701"))
    assert production.judge(assume=frozenset({"no_handwork"})).decision is Decision.MARK_ROLLED_BACK
