"""Finds statements that change the schema and may also write rows, which the schema does not show (RULES E5, E12)."""

import re
from typing import Any

from recovery.sql.names import Name, relation
from recovery.sql.tree import enum_name, functions, strings, walk

#: Functions whose value is the same for every row of one statement. A default of these gives rows no values that they
#: would not have if the column had been added by hand.
_STABLE_FUNCTIONS = {
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "timezone",
    "date_trunc",
    "lower",
    "upper",
}


def _is_pure_cast(expression: Any, column: str) -> bool:
    while expression.WhichOneof("node") == "type_cast":
        expression = expression.type_cast.arg
    return expression.WhichOneof("node") == "column_ref" and strings(expression.column_ref.fields)[-1:] == (column,)


#: Words in a DO block that can change rows, or call functions that do. Clauses as ON DELETE CASCADE are cut out first.
_WRITES = re.compile(
    r"\b(insert|update|delete|merge|truncate|copy|execute|perform|call|select|setval|nextval|refresh)\b|:="
    # DDL that writes rows, and expressions that can call a function.
    r"|\b(default|identity|(big|small)?serial[248]?|restart|explain|raise|assert|while|for|return|case)\b"
    r"|\busing\b(?!\s+(btree|hash|gin|gist|spgist|brin|index)\b)"
    r"|\bas\s+(table|values)\b|\b(els)?if\b(?!\s*;|\s+(not\s+)?exists\b(?!\s*\())|\w\s*=\s*[\w\"]+\s*[.(]",
    re.IGNORECASE,
)
_REFERENTIAL = re.compile(
    r"\bon\s+(delete|update)\b|\bif\s+(not\s+)?exists\s*\(\s*select\b(?=[^()]*\)\s*then\b)", re.IGNORECASE
)
_COMMITS = re.compile(r"\b(commit|call)\b", re.IGNORECASE)


def _body_of(block: Any) -> str:
    """The body of a DO block, without its quotes."""
    return "\n".join(_text(item.def_elem) for item in block.args if item.WhichOneof("node") == "def_elem")


def _text(element: Any) -> str:
    argument = element.arg
    return str(argument.string.sval) if argument.WhichOneof("node") == "string" else ""


def written_rows(node: str, body: Any, later: list[tuple[str, Any]], created: set[Name], *, inert: bool) -> str:
    """Why a statement may write rows although its schema changes can be seen; empty if it does not.

    RULES E5: rows that DDL writes are data, and the schema doesn't show whether they were written.

    Args:
        node: libpg_query's name for the statement.
        body: its parse tree.
        later: the statements after it.
        created: tables that the script itself made before; they have no rows that an ALTER could write.
        inert: whether the statement changes nothing by its nature.
    """
    if node == "create_table_as_stmt" and not body.into.skip_data:
        return "" if enum_name(body, "objtype") == "OBJECT_MATVIEW" else "CREATE TABLE AS writes rows"
    if node == "call_stmt" or (node == "do_stmt" and _COMMITS.search(_body_of(body))):
        return "it can commit before it ends, so its visible changes don't show that it ended"  # RULES E12
    if node == "do_stmt" and _WRITES.search(_REFERENTIAL.sub("", _body_of(body))):
        return "a DO block that may write rows: only its DDL can be seen"
    if node in ("explain_stmt", "execute_stmt"):
        return "the statement that it runs can write rows"
    if node == "alter_seq_stmt" and _restarts(body.options):
        return "the schema does not show a sequence's next value"
    if node == "select_stmt" and body.HasField("into_clause"):
        return "SELECT INTO writes rows"
    if node == "select_stmt" and not inert:
        return "a SELECT can call functions that write rows: only its changes to the schema can be seen"
    if node != "alter_table_stmt" or relation(body.relation) in created:
        return ""  # a table that this script itself creates has no rows that an ALTER could write
    for item in body.cmds:
        command = item.alter_table_cmd
        definition = getattr(command, "def").column_def
        action = enum_name(command, "subtype")
        if action == "AT_AlterColumnType" and definition.HasField("raw_default"):
            if not _is_pure_cast(definition.raw_default, command.name):
                return f"column {command.name} is computed by USING"
        elif action == "AT_SetIdentity" and _restarts(getattr(command, "def").list.items):
            return "the schema does not show a sequence's next value"
        elif action == "AT_AddColumn" and (reason := _added_rows(definition, body.relation, [(node, body), *later])):
            return reason
    return ""


def filled_columns(node: str, body: Any, later: list[tuple[str, Any]]) -> frozenset[str]:
    """The columns that a statement adds and fills with a default; empty if it also writes rows in another way.

    PostgreSQL may keep the value with which such a column was filled (`pg_attribute.attmissingval`), which then shows
    that the statement ran.

    Args:
        node: libpg_query's name for the statement.
        body: its parse tree.
        later: the statements after it.
    """
    found = set[str]()
    for item in body.cmds if node == "alter_table_stmt" else ():
        command = item.alter_table_cmd
        if enum_name(command, "subtype") in ("AT_AlterColumnType", "AT_SetIdentity"):
            return frozenset()
        definition = getattr(command, "def").column_def
        adds = enum_name(command, "subtype") == "AT_AddColumn"
        if adds and _added_rows(definition, body.relation, [(node, body), *later]):
            found.add(definition.colname)
    return frozenset(found)


#: Functions that return a value, and have no other effect.
_GIVING = {
    *_STABLE_FUNCTIONS,
    "gen_random_uuid",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
    "random",
    "clock_timestamp",
    "md5",
    "coalesce",
}


def into_its_own(node: str, body: Any) -> bool:
    """Whether a statement writes rows only into the table or columns that it makes itself.

    Where these are absent, its rows are absent too.
    """
    if not functions(body) <= _GIVING:
        return False
    if node in ("create_table_as_stmt", "select_stmt"):
        writing = {"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "ExecuteStmt"}
        into = node == "create_table_as_stmt" or body.HasField("into_clause")
        return into and writing.isdisjoint(item.DESCRIPTOR.name for item in walk(body))
    actions = [enum_name(item.alter_table_cmd, "subtype") for item in body.cmds] if node == "alter_table_stmt" else []
    changes_rows = {"AT_AlterColumnType", "AT_SetIdentity", "AT_DropColumn"}
    return "AT_AddColumn" in actions and changes_rows.isdisjoint(actions)


def _restarts(options: Any) -> bool:
    return any(option.def_elem.defname == "restart" for option in options)


def _added_rows(definition: Any, relation: Any, later: list[tuple[str, Any]]) -> str:
    serial = strings(definition.type_name.names)[-1:] in (("serial",), ("bigserial",), ("smallserial",))
    default, demanding = None, False
    for item in definition.constraints:
        name = enum_name(item.constraint, "contype")
        if name == "CONSTR_IDENTITY":
            serial = True
        elif name == "CONSTR_DEFAULT":
            default = item.constraint.raw_expr
        demanding = demanding or name in ("CONSTR_NOTNULL", "CONSTR_PRIMARY")
    if serial:
        return f"column {definition.colname} is numbered row by row"
    if default is None or default.a_const.isnull:
        return ""
    if not functions(default) <= _STABLE_FUNCTIONS:
        return f"column {definition.colname} gets a volatile default row by row"
    for node, body in later:
        if node == "rename_stmt" and (body.relation.relname, body.subname) == (relation.relname, definition.colname):
            return f"column {definition.colname} gets a default, and is renamed later"
        # By the bare name: the search path may make two ways of writing it one table.
        if node != "alter_table_stmt" or body.relation.relname != relation.relname:
            continue
        for item in body.cmds:
            command = item.alter_table_cmd
            action = enum_name(command, "subtype")
            if command.name == definition.colname and action in ("AT_ColumnDefault", "AT_DropColumn"):
                return f"column {definition.colname} gets a default that a later statement changes"
    # For a nullable column, ADD COLUMN and then SET DEFAULT make the same schema, and leave existing rows null.
    return "" if demanding else f"column {definition.colname} gets a default that existing rows may lack"
