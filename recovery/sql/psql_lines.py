"""Lines in a script that are psql's own commands, as pg_dump writes them; PostgreSQL has never seen them."""

import re

from recovery.sql.parser import postgast

#: The commands of psql that change nothing of what the following SQL does, for one who has only one database. Not among
#: them are those that run SQL from elsewhere (as \\i and \\gexec), that leave SQL out (\\if, \\q), or that read rows
#: (\\copy). After a second backslash on a line there may be SQL again.
_PASSED_OVER = re.compile(
    r"^[ \t]*\\(?:restrict|unrestrict|connect|c|echo|qecho|warn|set|unset|pset|timing|encoding|x|t|a|o"
    r"|conninfo)\b[^\\\n]*$",
    re.MULTILINE,
)


def without_psql_lines(text: str) -> str:
    """A script without psql's own commands between its statements; the numbers of its lines stay as they are.

    A line within a string, a body or a comment belongs to that, and one within a statement is left for PostgreSQL to
    refuse.
    """
    if "\\" not in text:
        return text
    kept, place = "", 0
    for line in _PASSED_OVER.finditer(text):
        before = kept + text[place : line.start()]
        if _between_statements(before):
            kept, place = before, line.end()
    return kept + text[place:]


def _between_statements(text: str) -> bool:
    """Whether a text ends after a statement's semicolon, or holds no statement yet."""
    try:
        tokens = [text.encode()[token.start : token.end] for token in postgast.scan(text).tokens]
    except postgast.PgQueryError:  # it ends within a string, a quoted name, a body or a comment
        return False
    words = [token for token in tokens if not token.startswith((b"--", b"/*"))]
    return not words or words[-1] == b";"
