"""Tells which objects a script may make, change or drop, and which it only refers to.

What a script refers to (the table of a foreign key, a function in a policy) was there before it, whether or not the
script has run. Of what it may make, change or drop nothing of the kind can be said.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from recovery.sql import blocks
from recovery.sql.names import PARTS, Name, names_of, relation
from recovery.sql.statements import ScriptError, tree
from recovery.sql.tree import enum_name, functions, of, strings

_WORD = re.compile(r"[^\W\d][\w$-]*")
#: A text that PostgreSQL does not parse before it runs, such as a function's body, changes the schema with these words.
_CHANGES = re.compile(r"\b(?:alter|create|drop|rename|execute|call)\b", re.IGNORECASE)
_NAMES_SCHEMAS = re.compile(r"\bschema\b", re.IGNORECASE)
_MOVES_PATH = re.compile(r"search_path", re.IGNORECASE)

#: Statements that leave the objects which they name as they are. Triggers, policies, privileges and comments are no
#: objects here: they are added to an object, and taken from it.
_LEAVE_ALONE = {
    *("insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "truncate_stmt", "copy_stmt"),
    *("create_trig_stmt", "create_policy_stmt", "alter_policy_stmt", "grant_stmt", "comment_stmt"),
    *("variable_set_stmt", "variable_show_stmt", "transaction_stmt", "lock_stmt", "vacuum_stmt"),
    *("alter_default_privileges_stmt", "create_role_stmt", "alter_role_stmt", "grant_role_stmt", "notify_stmt"),
}
#: Statements with one object of their own, each with the field that names it. They only refer to the others.
_OWN = {
    "create_stmt": "relation",
    "view_stmt": "view",
    "create_seq_stmt": "sequence",
    "create_enum_stmt": "type_name",
    "create_domain_stmt": "domainname",
    "create_range_stmt": "type_name",
    "composite_type_stmt": "typevar",
    "create_function_stmt": "funcname",
}
#: Statements whose text may do anything that its words say.
_ANYTHING = {"do_stmt", "call_stmt", "execute_stmt", "explain_stmt", "prepare_stmt", "select_stmt"}
#: Actions of ALTER TABLE that leave columns and keys as they are.
_ON_ROW_SECURITY = {
    *("AT_EnableRowSecurity", "AT_DisableRowSecurity", "AT_ForceRowSecurity", "AT_NoForceRowSecurity"),
}


@dataclass(slots=True)
class Targets:
    """What scripts may make, change or drop.

    Attributes:
        names: objects, with their schemas; without one where the search path is not known.
        schemas: schemas.
        words: words of texts that may make, change or drop anything that they name.
        schema_words: those of them in texts that may do so to schemas.
        called: bare names of functions that are called for what they do, not for a value.
    """

    names: set[Name] = field(default_factory=set)
    schemas: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    schema_words: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)

    def schema(self, name: str) -> bool:
        """Whether a schema is among them."""
        return name in self.schemas or name in self.schema_words

    def holds(self, schema: str, name: str) -> bool:
        """Whether an object is among them."""
        return name in self.words or not self.names.isdisjoint({Name(schema, name), Name(None, name)})


def targets(texts: Iterable[str], path: str) -> Targets:
    """What scripts may make, change or drop.

    Args:
        texts: the scripts.
        path: the schema of unqualified names.
    """
    found = Targets()
    for text in texts:
        schema = None if _MOVES_PATH.search(text) else path
        try:
            statements = tree(text)
        except ScriptError:
            _add_text(found, text)
            continue
        for node, body in statements:
            _add(found, node, body, schema)
    return found


def _words(text: str) -> set[str]:
    words = set(_WORD.findall(text))
    return words | {word.lower() for word in words}


def _add_text(found: Targets, text: str) -> None:
    found.words |= _words(text)
    if _NAMES_SCHEMAS.search(text):
        found.schema_words |= _words(text)


def _add(found: Targets, node: str, body: Any, path: str | None) -> None:
    inner = blocks.statements_of(body) if node == "do_stmt" else None
    for each in inner or ():
        _add(found, *each, path)
    if inner is None and node in ("create_function_stmt", *_ANYTHING):
        _add_unread(found, node, body)
    for schema, name in _changed(node, body):
        found.names.add(Name(schema or path, name))
    found.schemas.update(_schemas(node, body))
    if node == "create_schema_stmt":
        for item in body.schema_elts:
            _add(found, item.WhichOneof("node"), getattr(item, item.WhichOneof("node")), body.schemaname)


def _add_unread(found: Targets, node: str, body: Any) -> None:
    """Adds what a statement may do by a text that is not parsed, or by the functions that it calls."""
    for text in _texts(body):
        if _CHANGES.search(text):
            _add_text(found, text)
        if node == "do_stmt":
            found.called |= _words(text)
    if node != "create_function_stmt":
        found.called.update(name.rpartition(".")[2] for name in functions(body))


def _changed(node: str, body: Any) -> Iterator[tuple[str | None, str]]:
    """The objects that a statement makes, changes or drops, each with the schema if it is written."""
    names: Iterable[Name] = ()
    if node in _OWN:
        names = (_named(getattr(body, _OWN[node])),)
    elif node in _ANYTHING or node == "create_table_as_stmt":
        names = (relation(item.rel) for item in of(body, "IntoClause") if item.rel.relname)
    elif node == "drop_stmt":
        # A part of a table leaves the table as it is.
        names = () if enum_name(body, "remove_type") in PARTS else names_of(node, body)
    elif node == "alter_table_stmt":
        actions = {enum_name(item.alter_table_cmd, "subtype") for item in body.cmds}
        names = (relation(body.relation),) if actions - _ON_ROW_SECURITY else ()
    elif node not in _LEAVE_ALONE:
        names = names_of(node, body)
    return ((name.schema, name.name) for name in names)


def _schemas(node: str, body: Any) -> Iterator[str]:
    if node == "create_schema_stmt":
        yield body.schemaname
    elif node == "drop_stmt" and enum_name(body, "remove_type") == "OBJECT_SCHEMA":
        yield from strings(body.objects)
    elif node not in (*_OWN, *_LEAVE_ALONE, "drop_stmt"):
        yield from (name for each in ("subname", "newname", "newschema") if (name := getattr(body, each, "")))


def _texts(body: Any) -> Iterator[str]:
    """Every constant in a statement: the body of a function or a block, and what a function is called with."""
    for item in of(body, "String"):
        yield item.sval


def _named(value: Any) -> Name:
    if hasattr(value, "relname"):
        return relation(value)
    parts = strings(value)
    return Name(parts[-2] if len(parts) > 1 else None, parts[-1])
