"""Finds the objects that a statement names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from recovery.sql.parser import postgast
from recovery.sql.tree import enum_name, of, strings


@dataclass(frozen=True, slots=True)
class Name:
    """An object that a statement names.

    Attributes:
        schema: the schema; None if the name is unqualified, so that the search path decides.
        name: the name without its schema, unquoted.
        properties: the properties that must be compared even if the statement changes nothing (RULES E9): None for
            its existence only, "" for all, "column x" for that column, "schema" or "version" of an extension.
    """

    schema: str | None
    name: str
    properties: str | None = None


def _qualified(parts: tuple[str, ...], properties: str | None = None) -> Name | None:
    match parts:
        case (name,):
            return Name(None, name, properties)
        case (schema, name):
            return Name(None if schema == "pg_catalog" else schema, name, properties)
        case (*_, schema, name):
            return Name(schema, name, properties)
        case _:
            return None


def relation(range_var: Any, properties: str | None = None) -> Name:
    """The name in a RangeVar: a table, or another relation."""
    return Name(range_var.schemaname or None, range_var.relname, properties)


#: ALTER TABLE's actions with IF [NOT] EXISTS that are about a column; the others are about a constraint.
_COLUMN_ACTIONS = {"AT_AddColumn", "AT_DropColumn"}


#: ALTER TABLE's actions that state what a column is, and do nothing where it is so already.
STATING = {"AT_SetNotNull", "AT_DropNotNull", "AT_ColumnDefault"}


def _conditional_names(node: str, body: Any) -> Iterator[Name]:
    """The objects of which a statement may change nothing in the replay, and something in production.

    They are those of IF [NOT] EXISTS clauses, and the columns of which a statement says what they are.
    """
    if node == "create_stmt" and body.if_not_exists:
        yield relation(body.relation, "")
    elif node == "index_stmt" and body.if_not_exists:
        yield Name(body.relation.schemaname or None, body.idxname, "")
    elif node == "create_seq_stmt" and body.if_not_exists:
        yield relation(body.sequence, "")
    elif node == "create_table_as_stmt" and body.if_not_exists:
        yield relation(body.into.rel, "")
    elif node == "alter_enum_stmt" and body.skip_if_new_val_exists:
        if name := _qualified(strings(body.type_name), ""):
            yield name
    elif node == "alter_table_stmt":
        for item in body.cmds:
            command = item.alter_table_cmd
            action = enum_name(command, "subtype")
            if action in STATING:
                yield relation(body.relation, f"column {quoted(command.name)}")
            if not command.missing_ok:
                continue
            column = command.name or _added_column(command)
            kind = "column" if action in _COLUMN_ACTIONS else "constraint"
            yield relation(body.relation, f"{kind} {quoted(column)}")


def _added_column(command: Any) -> str:
    definition = getattr(command, "def")
    return str(definition.column_def.colname) if definition.WhichOneof("node") == "column_def" else ""


_PLAIN_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*\Z")


#: KeywordKind's NO_KEYWORD and UNRESERVED_KEYWORD: words that `quote_ident` does not quote.
_BARE = (0, 1)


@cache
def quoted(identifier: str) -> str:
    """An identifier as PostgreSQL's `quote_ident` writes it, and so as it stands in a snapshot."""
    if _PLAIN_IDENTIFIER.match(identifier) and postgast.scan(identifier).tokens[0].keyword_kind in _BARE:
        return identifier
    return '"' + identifier.replace('"', '""') + '"'


#: Kinds of objects that belong to a table, and whose DROP names the table too.
PARTS = {"OBJECT_TRIGGER": "trigger", "OBJECT_POLICY": "policy", "OBJECT_RULE": "rule"}


def _part_of_a_table(node: str, body: Any, parts: tuple[str, ...]) -> str | None:
    """The property of a table that a DROP … IF EXISTS is about; None if it drops no part of a table."""
    kind = PARTS.get(enum_name(body, "remove_type")) if node == "drop_stmt" and body.missing_ok else None
    return f"{kind} {quoted(parts[-1])}" if kind else None


def names_of(node: str, body: Any) -> frozenset[Name]:
    """Every object that a statement names.

    Args:
        node: libpg_query's name for the statement, such as `create_stmt`.
        body: its parse tree.
    """
    names: set[Name | None] = set(_conditional_names(node, body))
    names.update(relation(item) for item in of(body, "RangeVar") if item.relname)
    names.update(_qualified(strings(item.names)) for item in of(body, "TypeName"))
    if node == "index_stmt" and body.idxname:
        names.add(Name(body.relation.schemaname or None, body.idxname))
    for field in ("type_name", "defnames", "domainname", "sequence_name"):
        if field in body.DESCRIPTOR.fields_by_name and not hasattr(getattr(body, field), "ListFields"):
            value = getattr(body, field)
            if not isinstance(value, str):
                names.add(_qualified(strings(value)))
    for item in of(body, "ObjectWithArgs"):
        names.add(_qualified(strings(item.objname)))
    if node == "create_schema_stmt":
        names.add(Name(None, body.schemaname))
    if node == "create_extension_stmt":
        stated = {option.def_elem.defname.removeprefix("new_") for option in body.options}
        names.update(Name(None, body.extname, prop) for prop in (None, *sorted(stated & {"schema", "version"})))
    if node == "create_function_stmt":
        names.add(_qualified(strings(body.funcname)))
    if node in ("drop_stmt", "comment_stmt"):
        for item in of(body, "List"):
            parts = strings(item.items)
            names.add(_qualified(parts))
            names.add(_qualified(parts[:-1], _part_of_a_table(node, body, parts)))
        for item in getattr(body, "objects", ()):
            if item.WhichOneof("node") == "string":
                names.add(Name(None, item.string.sval))
    if node == "rename_stmt" and body.newname:
        schema = body.relation.schemaname or None
        names.add(Name(schema, body.newname))
    return frozenset(name for name in names if name is not None)
