"""Whether a script that is cut at every semicolon, as Prisma's JavaScript engine cuts it, still is its statements."""

from collections.abc import Iterator

from recovery.sql.parser import postgast
from recovery.sql.statements import parse

#: libpg_query's names of the tokens that are comments.
_COMMENTS = ("SQL_COMMENT", "C_COMMENT")


def cut_as_parsed(script: str) -> bool:
    """Whether cutting the text at every semicolon gives the very statements that PostgreSQL's parser finds.

    A semicolon in a comment, a string or a body cuts a statement in two, so that a part of it may run by itself, or a
    remark is sent as a statement. Blanks, comments and empty pieces make no difference, since they run nothing.

    Raises:
        ScriptError: PostgreSQL's grammar does not accept the script.
    """
    statements = [list(_words(statement.sql)) for statement in parse(script)]
    try:
        pieces = [words for piece in script.split(";") if (words := list(_words(piece)))]
    except postgast.PgQueryError:  # the piece ends within a string, a quoted name, a body or a comment
        return False
    return pieces == statements


def _words(sql: str) -> Iterator[str]:
    """The tokens of a piece of SQL that are not comments."""
    text = sql.encode()
    for token in postgast.scan(sql).tokens:
        kind = token.DESCRIPTOR.fields_by_name["token"].enum_type.values_by_number[token.token].name
        if kind not in _COMMENTS:
            yield text[token.start : token.end].decode()
