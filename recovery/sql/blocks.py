"""Reads the body of a DO block, as far as every statement in it and every condition is known."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from recovery.sql.parser import postgast
from recovery.sql.tree import enum_name, functions, of, strings

#: Catalogs that hold the schema alone, so that a condition on them does not depend on rows.
_CATALOGS = {
    *("pg_type", "pg_class", "pg_constraint", "pg_namespace", "pg_enum", "pg_attribute", "pg_index", "pg_indexes"),
    *("pg_tables", "pg_views", "pg_matviews", "pg_proc", "pg_trigger", "pg_policy", "pg_policies"),
}
_INFORMATION = {
    *("tables", "columns", "table_constraints", "key_column_usage", "constraint_column_usage"),
    *("referential_constraints", "views", "routines", "triggers", "schemata"),
}
#: Columns of these catalogs that tell something of rows after all.
_ABOUT_ROWS = {"reltuples", "relpages", "relallvisible", "relallfrozen", "relispopulated", "ispopulated", "relfilenode"}
#: Functions that a condition on the schema may call: they look names up, or compare.
_LOOKS_UP = {"to_regclass", "to_regtype", "to_regproc", "to_regnamespace", "current_schema", "lower", "upper", "count"}
#: Errors about the schema, which rows can't raise. A handler of another error runs where rows raise it.
_ABOUT_THE_SCHEMA = {
    *("duplicate_object", "duplicate_table", "duplicate_column", "duplicate_schema", "duplicate_function"),
    *("duplicate_alias", "undefined_object", "undefined_table", "undefined_column", "undefined_function"),
    *("invalid_schema_name",),
}
#: The variables that PL/pgSQL itself declares.
_OWN_VARIABLES = {"found", "sqlstate", "sqlerrm"}
#: `parse_plpgsql`'s number for the texts of assignments, `x := expression`.
_ASSIGNMENT = 3
#: Statements of PL/pgSQL that neither end a transaction nor run a text.
_WITHIN_A_TRANSACTION = {
    *("block", "if", "case", "loop", "while", "fori", "fors", "foreach_a", "exit", "assign", "execsql", "perform"),
    *("raise", "return", "assert", "getdiag"),
}
#: Statements all of whose work is undone by a rollback, but for the sequences that number new rows.
_UNDONE = {
    *("select_stmt", "insert_stmt", "update_stmt", "delete_stmt", "create_stmt", "index_stmt", "alter_table_stmt"),
    *("drop_stmt", "rename_stmt", "create_enum_stmt", "alter_enum_stmt", "create_table_as_stmt", "view_stmt"),
}
_FENCE = "$the_body_of_a_block$"


class _UnknownError(Exception):
    """Something in the block is not known."""


def statements_of(block: Any) -> list[tuple[str, Any]] | None:
    """The statements that a DO block may run, each as libpg_query's name for it and its parse tree.

    Args:
        block: the parse tree of the DO.

    Returns:
        None if anything is in the block besides plain statements (also as one string after EXECUTE), conditions on the
        schema, handlers of errors about the schema, and messages.
    """
    function = _parsed(block)
    if function is None or not {_variable(each) for each in function.get("datums", ())} <= _OWN_VARIABLES:
        return None
    try:
        return list(_of_one(function["action"]))
    except (postgast.PgQueryError, _UnknownError, KeyError, ValueError):
        return None


def asked_for(block: Any) -> frozenset[str]:
    """The strings in the conditions of a DO block, which may be names of objects.

    Args:
        block: the parse tree of the DO, all of whose statements are known.
    """
    function = _parsed(block)
    parts = (content for _, content in _parts(function or {}) if isinstance(content, Mapping))
    conditions = (content["cond"] for content in parts if "cond" in content)
    return frozenset(
        str(constant.sval.sval)
        for condition in conditions
        for constant in of(postgast.parse(f"SELECT {condition['PLpgSQL_expr']['query']}"), "A_Const")
        if constant.WhichOneof("val") == "sval"
    )


def undone_by_a_rollback(block: Any, harmless: Collection[str]) -> bool:
    """Whether a rollback undoes all that a DO block may do: it commits nothing, and calls nothing unknown.

    Args:
        block: the parse tree of the DO.
        harmless: functions that do nothing besides giving a value.
    """
    function = _parsed(block)
    try:
        return function is not None and all(_undone(*part, harmless) for part in _parts(function))
    except (postgast.PgQueryError, KeyError, ValueError, IndexError):
        return False


def _parts(tree: Any) -> Iterator[tuple[str, Any]]:
    """Every object in what `parse_plpgsql` gives, by its kind."""
    if isinstance(tree, Mapping):
        for kind, content in tree.items():
            yield kind, content
            yield from _parts(content)
    elif isinstance(tree, list):
        for each in tree:
            yield from _parts(each)


def _undone(kind: str, content: Any, harmless: Collection[str]) -> bool:
    if kind == "PLpgSQL_expr":
        mode, text = content.get("parseMode", 0), content["query"]
        if mode == _ASSIGNMENT:
            text = text.split("=", 1)[1]
        tree = postgast.parse(text if mode == 0 else f"SELECT {text}")
        nodes = {raw.stmt.WhichOneof("node") for raw in tree.stmts}
        return functions(tree) <= {*harmless, *_LOOKS_UP} and nodes <= _UNDONE
    return not kind.startswith("PLpgSQL_stmt_") or kind.removeprefix("PLpgSQL_stmt_") in _WITHIN_A_TRANSACTION


def _parsed(block: Any) -> Mapping[str, Any] | None:
    """What `parse_plpgsql` gives for the body of a DO block; None if it is in another language, or not understood."""
    options = {item.def_elem.defname: item.def_elem.arg for item in block.args if item.WhichOneof("node") == "def_elem"}
    if "as" not in options or ("language" in options and options["language"].string.sval != "plpgsql"):
        return None
    body = options["as"].string.sval
    if _FENCE in body:
        return None
    try:
        (parsed,) = postgast.parse_plpgsql(
            f"CREATE FUNCTION a_block() RETURNS void LANGUAGE plpgsql AS {_FENCE}{body}{_FENCE}"
        )
    except (postgast.PgQueryError, ValueError):
        return None
    function: Mapping[str, Any] = parsed["PLpgSQL_function"]
    return function


def _variable(datum: Mapping[str, Any]) -> str:
    ((kind, content),) = datum.items()
    return str(content.get("refname", kind))


def _of_all(parts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    for part in parts:
        yield from _of_one(part)


def _of_one(part: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    ((kind, content),) = part.items()
    match kind:
        case "PLpgSQL_stmt_block":
            yield from _of_all(content.get("body", ()))
            handlers = content.get("exceptions", {}).get("PLpgSQL_exception_block", {}).get("exc_list", ())
            for handler in handlers:
                caught = handler["PLpgSQL_exception"]
                names = {each["PLpgSQL_condition"]["condname"] for each in caught["conditions"]}
                if not names <= _ABOUT_THE_SCHEMA:
                    raise _UnknownError
                yield from _of_all(caught.get("action", ()))
        case "PLpgSQL_stmt_if":
            _check(content["cond"])
            yield from _of_all(content.get("then_body", ()))
            for other in content.get("elsif_list", ()):
                _check(other["PLpgSQL_if_elsif"]["cond"])
                yield from _of_all(other["PLpgSQL_if_elsif"].get("stmts", ()))
            yield from _of_all(content.get("else_body", ()))
        case "PLpgSQL_stmt_execsql":
            if content.get("into"):
                raise _UnknownError
            yield from _of_text(content["sqlstmt"]["PLpgSQL_expr"]["query"])
        case "PLpgSQL_stmt_dynexecute" if not (content.get("params") or content.get("into")):
            yield from _of_text(_constant(content["query"]))
        case "PLpgSQL_stmt_raise" if not content.get("params"):
            return
        case "PLpgSQL_stmt_return" if not content.get("expr"):
            return
        case _:
            raise _UnknownError


def _of_text(text: str) -> Iterator[tuple[str, Any]]:
    for raw in postgast.parse(text).stmts:
        node = raw.stmt.WhichOneof("node")
        body = getattr(raw.stmt, node)
        inner = statements_of(body) if node == "do_stmt" else [(node, body)]
        if inner is None:
            raise _UnknownError
        yield from inner


def _constant(expression: Mapping[str, Any]) -> str:
    """The text of an expression that is one string. Raises if it is anything else, as where names are put in."""
    (only,) = of(postgast.parse(f"SELECT {expression['PLpgSQL_expr']['query']}"), "ResTarget")
    if only.val.WhichOneof("node") != "a_const" or only.val.a_const.WhichOneof("val") != "sval":
        raise _UnknownError
    return str(only.val.a_const.sval.sval)


def _check(condition: Mapping[str, Any]) -> None:
    """Raises unless the condition depends on the schema alone."""
    tree = postgast.parse(f"SELECT {condition['PLpgSQL_expr']['query']}")
    for table in of(tree, "RangeVar"):
        known = _INFORMATION if table.schemaname == "information_schema" else _CATALOGS
        if table.schemaname not in ("", "pg_catalog", "information_schema") or table.relname not in known:
            raise _UnknownError
    columns = {name for column in of(tree, "ColumnRef") for name in strings(column.fields)}
    # CURRENT_USER and CURRENT_CATALOG are others in a replay, and so is the time.
    elsewhere = any(enum_name(each, "op") != "SVFOP_CURRENT_SCHEMA" for each in of(tree, "SQLValueFunction"))
    if elsewhere or columns & _ABOUT_ROWS or not functions(tree) <= _LOOKS_UP:
        raise _UnknownError
