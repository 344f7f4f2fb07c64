"""RULES E24: a script cut at every semicolon, beside the statements that PostgreSQL's parser finds in it."""

import pytest

from recovery.sql.pieces import cut_as_parsed
from recovery.sql.statements import ScriptError

SAME = [
    pytest.param("", id="nothing"),
    pytest.param("-- a remark", id="a remark alone"),
    pytest.param("SELECT 1", id="no semicolon at the end"),
    pytest.param("SELECT 1; SELECT 2;", id="two statements"),
    pytest.param(";;SELECT 1;; ;SELECT 2;\n;", id="empty statements"),
    pytest.param("SELECT 1;\r\n\r\n-- a remark\r\nSELECT 2;\r\n", id="Windows line ends"),
    pytest.param("SELECT 1; -- a remark\n", id="a remark at the end"),
    pytest.param("SELECT 1 -- a remark\n; /* another */", id="a remark before the semicolon"),
    pytest.param("/* a */ SELECT /* b */ 1 -- c\n + 2; SELECT 'é';", id="remarks between words"),
    pytest.param("DO $$ BEGIN NULL END $$; SELECT 1;", id="a body without a semicolon"),
]
OTHER = [
    pytest.param("SELECT 1 -- a; b\n, 2;", id="in a remark"),
    pytest.param("SELECT 1 -- a;\n, 2;", id="at the end of a remark within a statement"),
    pytest.param("SELECT 1;\n-- done; the rest comes later", id="in a remark at the end"),
    pytest.param("SELECT 1;\r\n-- done; the rest comes later\r\n", id="in a remark at the end, Windows line ends"),
    pytest.param("SELECT 1 /* a; b */;", id="in a block remark"),
    pytest.param("SELECT 'a; b';", id="in a string"),
    pytest.param("SELECT ';';", id="a string of nothing else"),
    pytest.param('SELECT 1 AS "a;b";', id="in a quoted name"),
    pytest.param("DO $$ BEGIN NULL; END $$;", id="in a body"),
    pytest.param("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;", id="in an atomic body"),
    pytest.param("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);", id="in a rule"),
]


@pytest.mark.parametrize("script", SAME)
def test_cut_at_its_statements(script: str) -> None:
    """Each semicolon ends a statement, or an empty piece that runs nothing."""
    assert cut_as_parsed(script)


@pytest.mark.parametrize("script", OTHER)
def test_cut_elsewhere(script: str) -> None:
    """A semicolon that ends no statement leaves pieces that are none."""
    assert not cut_as_parsed(script)


def test_a_remark_that_ends_in_a_semicolon_and_is_followed_by_nothing_cuts_nothing() -> None:
    """What comes after it is empty, and what comes before it is a remark."""
    assert cut_as_parsed("SELECT 1;\n-- done;\n")


def test_no_sql_has_no_pieces() -> None:
    """What PostgreSQL's parser refuses has no statements to compare the pieces with."""
    with pytest.raises(ScriptError):
        cut_as_parsed("SELEC 1")
