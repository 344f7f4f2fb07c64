"""Whether SQL for `db execute` may write to Prisma's ledger. Only statements on a list of harmless ones pass."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from recovery.sql.statements import ScriptError, tree
from recovery.sql.tree import children, functions

_LEDGER = "_prisma_migrations"
_READING = frozenset({"select_stmt", "variable_show_stmt"})
#: Statements that affect only the objects that they name. Statements that run other code, or work on everything in a
#: schema or of a role, are not among them.
_PLAIN = frozenset(
    {
        "select_stmt", "insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "truncate_stmt", "create_stmt",
        "create_table_as_stmt", "alter_table_stmt", "index_stmt", "view_stmt", "create_enum_stmt", "alter_enum_stmt",
        "create_seq_stmt", "alter_seq_stmt", "comment_stmt", "grant_stmt", "transaction_stmt", "variable_show_stmt",
        "explain_stmt", "vacuum_stmt", "reindex_stmt", "refresh_mat_view_stmt", "create_extension_stmt", "drop_stmt",
        "rename_stmt", "lock_stmt",
    }
)  # fmt: skip
#: Objects that DROP and RENAME may work on: kinds that contain no table.
_OBJECTS = frozenset(
    {
        "OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_COLUMN", "OBJECT_TYPE",
        "OBJECT_SEQUENCE", "OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_ATTRIBUTE",
    }
)  # fmt: skip
#: Functions that certainly do not write. Any other could, as `query_to_xml` or a function of the database's own.
_FUNCTIONS = frozenset(
    {
        "abs", "array_agg", "avg", "btrim", "bool_and", "bool_or", "coalesce", "concat", "count", "current_database",
        "current_schema", "date_trunc", "format", "gen_random_uuid", "greatest", "json_agg", "json_build_object",
        "jsonb_agg", "jsonb_build_object", "least", "left", "length", "lower", "ltrim", "max", "md5", "min", "now",
        "obj_description", "pg_get_constraintdef", "pg_get_indexdef", "pg_relation_size", "pg_size_pretty",
        "pg_table_size", "pg_total_relation_size", "replace", "right", "round", "row_number", "rtrim", "split_part",
        "string_agg", "substring", "sum", "to_char", "to_regclass", "to_regtype", "trim", "unnest", "upper",
        "uuid_generate_v4", "version",
    }
)  # fmt: skip


def ledger_write(sql: bytes) -> str:
    """Why SQL may write to the ledger; empty if it certainly doesn't."""
    try:
        text = sql.decode("utf-8-sig")
        whole = _statements(text)
    except ScriptError:
        return "its SQL is not valid in PostgreSQL's grammar"
    except UnicodeDecodeError:
        return "its SQL is not UTF-8"
    # With a driver adapter Prisma splits at every semicolon, even in a comment, and runs what follows it.
    for piece in text.split(";"):
        with suppress(ScriptError):
            whole = whole or _statements(piece)
    return whole


def _statements(text: str) -> str:
    return next((why for node, body in tree(text) if (why := _why(node, body))), "")


def _why(node: str, body: Any) -> str:
    inner = list(_nodes(body))
    named = any(_LEDGER in text.lower() for text in _texts(body))
    if named and (node not in _READING or any(kind.endswith("_stmt") and kind not in _READING for kind, _ in inner)):
        return f"a statement names {_LEDGER} and does more than read it"
    if named and any(kind in ("into_clause", "locking_clause") for kind, _ in inner):
        return f"a statement names {_LEDGER} and does more than read it"
    for kind, message in ((node, body), *inner):
        if kind.endswith("_stmt") and kind not in _PLAIN:
            return f"its {kind.removesuffix('_stmt').replace('_', ' ')} statement may write to {_LEDGER}"
        if kind in ("drop_stmt", "rename_stmt") and not _plain_object(kind, message):
            return f"it drops or renames an object that may contain {_LEDGER}"
    if unknown := sorted(functions(body) - _FUNCTIONS):
        return f"the function {unknown[0]} may write to {_LEDGER}"
    return ""


def _plain_object(kind: str, message: Any) -> bool:
    field = message.DESCRIPTOR.fields_by_name["remove_type" if kind == "drop_stmt" else "rename_type"]
    return field.enum_type.values_by_number[getattr(message, field.name)].name in _OBJECTS


def _nodes(message: Any) -> Iterator[tuple[str, Any]]:
    """Every node inside a node of the parse tree, with the name of its field."""
    for name, child in children(message):
        yield name, child
        yield from _nodes(child)


def _texts(message: Any) -> Iterator[str]:
    """Every string inside a node of the parse tree."""
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            for item in (value,) if hasattr(value, "ListFields") else value:
                yield from _texts(item)
        elif isinstance(value, str):
            yield value
        elif not isinstance(value, (int, float, bool, bytes)):
            yield from (item for item in value if isinstance(item, str))
