"""Which statements show wholly in the schema, so that a replay of the migration as a whole tells what they do (E4).

An allow-list, each entry with its reason. Of any other statement the replay step by step has to show what it does.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from recovery.sql.statements import Parsed, parse, tree
from recovery.sql.tree import enum_name

#: Statements that make, rename or drop an object whose every property is in a snapshot.
_SHOWN = {
    "create_stmt": "a table, with its columns and constraints",
    "index_stmt": "an index",
    "create_enum_stmt": "a type, with its labels",
    "alter_enum_stmt": "a label of a type",
    "view_stmt": "a view, with its query",
    "create_function_stmt": "a function, with its body",
    "create_trig_stmt": "a trigger",
    "create_policy_stmt": "a policy",
    "create_schema_stmt": "a schema",
    "comment_stmt": "a remark",
}
#: Of ALTER TABLE, the sub-commands that set properties which are in a snapshot.
_ACTIONS_SHOWN = {
    *("AT_AddColumn", "AT_DropColumn", "AT_AlterColumnType", "AT_ColumnDefault", "AT_SetNotNull", "AT_DropNotNull"),
    *("AT_AddConstraint", "AT_DropConstraint", "AT_EnableRowSecurity", "AT_DisableRowSecurity"),
}
#: Kinds of objects that are in a snapshot, under their name.
_KINDS_SHOWN = {
    *("OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_TYPE", "OBJECT_VIEW", "OBJECT_COLUMN", "OBJECT_TABCONSTRAINT"),
    *("OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_FUNCTION"),
}


def plain(text: str, own: Collection[str], *, defaults: bool) -> tuple[Parsed, ...] | None:
    """The statements of a script that shows wholly in the schema, but for what it does to rows; None for any other.

    Args:
        text: the script.
        own: bare names of the history's functions: a call of one may do anything.
        defaults: the history has domains, whose default may fill a new column.

    Raises:
        ScriptError: it cannot be split into statements.
    """
    statements = parse(text)
    for statement, (node, body) in zip(statements, tree(text), strict=True):
        if statement.inert or (_shown(node, body) and not _depends(statement, own, defaults=defaults)):
            continue
        return None
    return statements


def keeps_names(text: str, own: Collection[str] = (), *, defaults: bool = False) -> tuple[Parsed, ...] | None:
    """The statements of a script that shows wholly and changes only what it names or makes; None for any other.

    What a name stands for stays, too, so that all that scripts in a row work on can be read off their texts.

    Args:
        text: the script.
        own: as for `plain`.
        defaults: as for `plain`.

    Raises:
        ScriptError: it cannot be split into statements.
    """
    statements = _keeping_names(text)
    if statements is None or any(_depends(each, own, defaults=defaults) for each in statements if not each.inert):
        return None
    return statements


@lru_cache(maxsize=1024)
def _keeping_names(text: str) -> tuple[Parsed, ...] | None:
    statements = plain(text, (), defaults=False)
    if statements is None or any(statement.moves_path for statement in statements):
        return None
    renaming = any(node == "rename_stmt" or (node == "alter_enum_stmt" and body.old_val) for node, body in tree(text))
    return None if renaming else statements


def _shown(node: str, body: Any) -> bool:
    match node:
        case "alter_table_stmt":
            return all(enum_name(item.alter_table_cmd, "subtype") in _ACTIONS_SHOWN for item in body.cmds)
        case "drop_stmt":
            return enum_name(body, "remove_type") in _KINDS_SHOWN and enum_name(body, "behavior") != "DROP_CASCADE"
        case "rename_stmt":
            return enum_name(body, "rename_type") in _KINDS_SHOWN
        case _:
            return node in _SHOWN


def _depends(statement: Parsed, own: Collection[str], *, defaults: bool) -> bool:
    """Whether what it does depends on more than its text."""
    calls = statement.work.computes | statement.work.checked
    if statement.forbidden or statement.opaque or statement.moves_path or calls:
        return True
    return bool(statement.calls & set(own)) or (defaults and bool(statement.work.typed))
