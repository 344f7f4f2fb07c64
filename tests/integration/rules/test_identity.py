"""RULES E31: evidence is tied to the one database that it was read from."""

from psycopg.sql import SQL, Identifier

from tests.integration.rules.production import Production


def test_a_copy_under_the_same_name_is_another_database(production: Production) -> None:
    """E31: same server, same name, same rows and schema; what was approved for the one says nothing of the other."""
    production.failed("ALTER TABLE t ADD b int; UPDATE t SET a = 1;")
    before = production.judge().evidence_digest
    assert production.judge().evidence_digest == before
    name, copy = Identifier(production.database), Identifier(f"{production.database}_copy")
    with production.server.connect("postgres") as connection:
        connection.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(copy, name))
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        connection.execute(SQL("ALTER DATABASE {} RENAME TO {}").format(copy, name))
    assert production.judge().evidence_digest != before


def test_the_database_is_looked_at_again_after_a_lost_connection(production: Production) -> None:
    """E31: between judging and marking, the connection is lost, and another database gets the name."""
    target = production.target()
    before = target.identity
    copy = Identifier(f"{production.database}_copy")
    with production.server.connect("postgres") as connection:
        target.close()
        connection.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(copy, Identifier(production.database)))
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(production.database)))
        connection.execute(SQL("ALTER DATABASE {} RENAME TO {}").format(copy, Identifier(production.database)))
    target.rows()
    after = target.identity
    target.close()
    assert before.key == after.key
    assert before.digested != after.digested
