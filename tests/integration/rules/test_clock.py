"""E1: the order of the history, where a client's clock was set back between two deploys."""

import pytest

from tests.integration.rules.production import APPLIED, Production, verdict

TABLE, COLUMN = "20260103_books", "20260104_isbn"


def deployed(production: Production, *scripts: tuple[str, str], minutes_back: int) -> None:
    """Deploys these one after another, the last with a clock that was set back by so many minutes."""
    for name, script in scripts:
        production.finished(name, script)
    production.run(
        f"UPDATE _prisma_migrations SET started_at = started_at - interval '{minutes_back} minutes',"
        f" finished_at = finished_at - interval '{minutes_back} minutes' WHERE migration_name = '{scripts[-1][0]}'"
    )


@pytest.mark.parametrize(
    ("first", "then"),
    [
        # By its times the second one would be replayed first, and fail; or not fail, and have another end.
        ("CREATE TABLE books (id int PRIMARY KEY);", "ALTER TABLE books ADD isbn text NOT NULL;"),
        ("ALTER TABLE t ALTER a SET DEFAULT 1;", "ALTER TABLE t ALTER a SET DEFAULT 2;"),
    ],
)
def test_the_history_is_proven_in_the_order_in_which_it_was_deployed(
    production: Production, first: str, then: str
) -> None:
    """VERIFY compares with what the deploys made, in the order in which the server has them."""
    deployed(production, (TABLE, first), (COLUMN, then), minutes_back=60)
    proof = production.prove([TABLE, COLUMN])
    assert (proof.differing, proof.elsewhere, proof.unprovable) == ((), (), ())
    assert set(proof.proven) == {TABLE, COLUMN}


def test_a_failed_migration_is_judged_on_that_history(production: Production) -> None:
    """Its base is what the two deploys made."""
    first, then = "CREATE TABLE books (id int PRIMARY KEY);", "ALTER TABLE books ADD isbn text NOT NULL;"
    deployed(production, (TABLE, first), (COLUMN, then), minutes_back=60)
    production.failed("CREATE INDEX by_isbn ON books (isbn);", "20260105_index")
    production.run("CREATE INDEX by_isbn ON books (isbn);")
    assert verdict(production.judge("20260105_index")) == APPLIED


def test_a_late_merge_stays_one(production: Production) -> None:
    """What was deployed later has the later transaction, whatever its name."""
    deployed(
        production,
        (COLUMN, "CREATE TABLE IF NOT EXISTS books (id int PRIMARY KEY, isbn text);"),
        (TABLE, "CREATE TABLE IF NOT EXISTS books (id int PRIMARY KEY);"),
        minutes_back=0,
    )
    assert production.prove([TABLE, COLUMN]).differing == ()
