"""Lines of psql's own commands in a script."""

import pytest

from recovery.sql.psql_lines import without_psql_lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1;\n", "SELECT 1;\n"),
        ("\\restrict a\nSELECT 1;\n\\unrestrict a\n", "\nSELECT 1;\n\n"),
        ("-- a remark; with a semicolon\n\\connect a\nSELECT 1;", "-- a remark; with a semicolon\n\nSELECT 1;"),
        ("SELECT 1; -- a remark\n\\connect a\n", "SELECT 1; -- a remark\n\n"),
    ],
)
def test_those_between_statements_are_passed_over(text: str, expected: str) -> None:
    """The numbers of the lines stay as they are."""
    assert without_psql_lines(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '\n\\restrict a\n';",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'a;\n\\connect a\n' $$;",
        "/* \n\\connect a\n */ SELECT 1;",
        "SELECT 1\n\\connect a\n;",
        "\\i other.sql\nSELECT 1;",
        "SELECT 1;\n\\x \\\\ SELECT 2;\n",
    ],
)
def test_all_others_stay(text: str) -> None:
    """Within a string, a body, a comment or a statement they are no lines of psql's, or none that do nothing."""
    assert without_psql_lines(text) == text
