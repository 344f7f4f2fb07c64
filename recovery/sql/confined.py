"""Which statements change only objects that they name, the parts of these, and what PostgreSQL makes along with them.

An allow-list, with the reason where it is not plain. Of any other statement the whole schema has to be read again to
see what it changed.
"""

from typing import Any

from recovery.sql.tree import enum_name, of

#: Each makes, replaces or alters the one object that it names, or a part of the table that it names.
_CONFINED = {
    "create_enum_stmt",
    "view_stmt",
    "create_function_stmt",
    "create_trig_stmt",
    "create_policy_stmt",
    "index_stmt",
}
#: Of ALTER TABLE, the sub-commands that change the table, its indexes, and the sequences that belong to its columns.
_ACTIONS = {
    *("AT_AddColumn", "AT_DropColumn", "AT_AlterColumnType", "AT_ColumnDefault", "AT_SetNotNull", "AT_DropNotNull"),
    *("AT_AddConstraint", "AT_DropConstraint", "AT_EnableRowSecurity", "AT_DisableRowSecurity"),
}
#: Without CASCADE others that depend on it keep it from being dropped.
_DROPPED = {"OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_TYPE", "OBJECT_VIEW"}


def confined(node: str, body: Any) -> bool:
    """Whether a statement is confined to what it names.

    That holds in a database without event triggers, partitions, inheriting tables, publications, and statistics.

    Args:
        node: libpg_query's name for it.
        body: its parse tree.
    """
    match node:
        case "create_stmt":
            copies = body.inh_relations or body.HasField("partbound") or any(True for _ in of(body, "TableLikeClause"))
            return not (copies or body.HasField("of_typename") or body.HasField("partspec"))
        case "alter_enum_stmt":
            return not body.old_val  # the defaults of columns show a label
        case "alter_table_stmt":
            return enum_name(body, "objtype") == "OBJECT_TABLE" and all(map(_is_confined, body.cmds))
        case "drop_stmt":
            return enum_name(body, "remove_type") in _DROPPED and enum_name(body, "behavior") != "DROP_CASCADE"
        case _:
            return node in _CONFINED


def _is_confined(item: Any) -> bool:
    command = item.alter_table_cmd
    if enum_name(command, "subtype") not in _ACTIONS or enum_name(command, "behavior") == "DROP_CASCADE":
        return False
    # USING INDEX gives an index another name, by which it is known to others.
    return not any(constraint.indexname for constraint in of(command, "Constraint"))
