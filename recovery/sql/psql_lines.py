"""Lines in a script that are for psql, as pg_dump writes them: its own commands, and rows for COPY … FROM stdin."""

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

#: COPY from psql's input, and the rows that follow up to a line with `\\.` alone.
_COPY = re.compile(
    r"^copy\s[^;]*?\sfrom\s+stdin\b[^;]*;[ \t]*\r?\n(?P<rows>(?:.*\n)*?\\\.[ \t]*\r?)$", re.IGNORECASE | re.MULTILINE
)


def without_psql_lines(text: str) -> str:
    """A script without psql's own commands, and without rows for COPY; the numbers of its lines stay as they are.

    A line within a string, a body or a comment belongs to that, and one within a statement is left for PostgreSQL to
    refuse.
    """
    if "\\" not in text:
        return text
    text = _without_rows(text)
    kept, place = "", 0
    for line in _PASSED_OVER.finditer(text):
        before = kept + text[place : line.start()]
        if _between_statements(before):
            kept, place = before, line.end()
    return kept + text[place:]


def _without_rows(text: str) -> str:
    """The script with empty lines in the place of the rows; Prisma never sends any."""
    kept, place = "", 0
    for copy in _COPY.finditer(text):
        before = kept + text[place : copy.start()]
        if _between_statements(_PASSED_OVER.sub("", before)):
            kept, place = before + text[copy.start() : copy.start("rows")] + "\n" * copy["rows"].count("\n"), copy.end()
    return kept + text[place:]


def _between_statements(text: str) -> bool:
    """Whether a text ends after a statement's semicolon, or holds no statement yet."""
    try:
        tokens = [text.encode()[token.start : token.end] for token in postgast.scan(text).tokens]
    except postgast.PgQueryError:  # it ends within a string, a quoted name, a body or a comment
        return False
    words = [token for token in tokens if not token.startswith((b"--", b"/*"))]
    return not words or words[-1] == b";"
