"""RULES E24: a script cut at every semicolon, beside the statements that PostgreSQL's parser finds in it."""

import pytest

from recovery.sql.pieces import whole_when_cut
from recovery.sql.statements import ScriptError, parse

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
#: Scripts of which a part may run by itself.
IN_PARTS = [
    pytest.param("SELECT 1 -- a; b\n, 2;", id="in a remark"),
    pytest.param("SELECT 1 -- a;\n, 2;", id="at the end of a remark within a statement"),
    pytest.param("SELECT 1;\n-- done; the rest comes later", id="in a remark at the end"),
    pytest.param("SELECT 1;\r\n-- done; the rest comes later\r\n", id="in a remark at the end, Windows line ends"),
    pytest.param("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;", id="in an atomic body"),
    pytest.param("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);", id="in a rule"),
    pytest.param("SELECT 1; SELECT 2 -- a; b\n; SELECT 'c;';", id="in a remark, before a string"),
    pytest.param("SELECT 1; /* done; the rest comes later */", id="in a block remark at the end"),
]
#: Scripts with the number of statements before the one that PostgreSQL refuses for being cut.
REFUSED = [
    pytest.param("SELECT 1 /* a; b */;", 0, id="in a block remark"),
    pytest.param("SELECT 'a; b';", 0, id="in a string"),
    pytest.param("SELECT ';';", 0, id="a string of nothing else"),
    pytest.param('SELECT 1 AS "a;b";', 0, id="in a quoted name"),
    pytest.param("DO $$ BEGIN NULL; END $$;", 0, id="in a body"),
    pytest.param("SELECT 1; SELECT 2; SELECT ';'; SELECT 3;", 2, id="after two statements"),
]


@pytest.mark.parametrize("script", SAME)
def test_cut_at_its_statements(script: str) -> None:
    """Each semicolon ends a statement, or an empty piece that runs nothing."""
    assert whole_when_cut(script) == len(parse(script))


@pytest.mark.parametrize("script", IN_PARTS)
def test_cut_so_that_a_part_may_run(script: str) -> None:
    """A semicolon that ends no statement leaves pieces that are none, and some of them may run."""
    assert whole_when_cut(script) is None


@pytest.mark.parametrize(("script", "before"), REFUSED)
def test_cut_so_that_no_part_can_run(script: str, before: int) -> None:
    """A piece that ends within a string or a body is refused, so it does not run, nor does anything after it."""
    assert whole_when_cut(script) == before


def test_a_remark_that_ends_in_a_semicolon_and_is_followed_by_nothing_cuts_nothing() -> None:
    """What comes after it is empty, and what comes before it is a remark."""
    assert whole_when_cut("SELECT 1;\n-- done;\n") == 1


def test_no_sql_has_no_pieces() -> None:
    """What PostgreSQL's parser refuses has no statements to compare the pieces with."""
    with pytest.raises(ScriptError):
        whole_when_cut("SELEC 1")
