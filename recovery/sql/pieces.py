"""Whether a script that is cut at every semicolon, as Prisma's JavaScript engine cuts it, still is its statements."""

from collections.abc import Iterator

from recovery.sql.parser import postgast
from recovery.sql.statements import parse

#: libpg_query's names of the tokens that are comments.
_COMMENTS = ("SQL_COMMENT", "C_COMMENT")


def whole_when_cut(script: str) -> int | None:
    """How many statements, from the first, are sent as they are when the text is cut at every semicolon.

    A semicolon in a comment, a string or a body cuts a statement in two, so that a part of it may run by itself, or a
    remark is sent as a statement. Blanks, comments and empty pieces make no difference, since they run nothing.

    Returns:
        The number of statements before the first that PostgreSQL refuses for being cut, or the number of all. None if
        a part of a statement could run by itself, so that nothing is known of what ran.

    Raises:
        ScriptError: PostgreSQL's grammar does not accept the script.
    """
    statements = [list(_words(statement.sql)) for statement in parse(script)]
    whole = 0
    for piece in script.split(";"):
        try:
            words = list(_words(piece))
        except postgast.PgQueryError:  # the piece ends within a string, a quoted name, a body or a comment
            # After the last statement it is a remark that is refused, and that statement ran before it.
            return whole if whole < len(statements) else None
        if not words:
            continue
        if whole == len(statements) or words != statements[whole]:
            return None
        whole += 1
    return whole


def _words(sql: str) -> Iterator[str]:
    """The tokens of a piece of SQL that are not comments."""
    text = sql.encode()
    for token in postgast.scan(sql).tokens:
        kind = token.DESCRIPTOR.fields_by_name["token"].enum_type.values_by_number[token.token].name
        if kind not in _COMMENTS:
            yield text[token.start : token.end].decode()
