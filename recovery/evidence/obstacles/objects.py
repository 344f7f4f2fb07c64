"""Reads from a statement which objects it needs, which it makes, and of which it changes what others may depend on.

Each must be as production has it now: of what an earlier statement may have made, dropped or renamed nothing is said.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from recovery.evidence.obstacles.newer import newer_syntax
from recovery.evidence.obstacles.preceding import Preceding
from recovery.evidence.obstacles.probes import Concurrently, Depending, Made, Needed, Newer, Probe
from recovery.sql.names import Name, relation
from recovery.sql.tree import enum_name, of, strings

#: What DROP is followed by where its object is a relation; a list of names says which.
_RELATIONS = {"OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_SEQUENCE"}
#: Relations on which others may depend. An index has no dependents but constraints, which PostgreSQL names.
_DEPENDED_ON = {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW"}
#: Relations that PostgreSQL also makes along with a table or a constraint, under a name of its own choice.
_IMPLIED = {"OBJECT_INDEX", "OBJECT_SEQUENCE"}
#: Words in the place of a type that are none.
_SERIAL = {(name,) for name in ("smallserial", "serial", "bigserial", "serial2", "serial4", "serial8")}
#: Statements on rows of one relation, which can't be a name that the statement itself gives.
_ROWS = ("insert_stmt", "update_stmt", "delete_stmt", "merge_stmt")
#: Actions of ALTER TABLE after which a table has the columns and constraints that the action names, and else the same.
_PLAIN_ACTIONS = {
    *("AT_AddColumn", "AT_DropColumn", "AT_AlterColumnType", "AT_ColumnDefault"),
    *("AT_SetNotNull", "AT_DropNotNull", "AT_AddConstraint", "AT_DropConstraint"),
}
#: Actions of ALTER TABLE on a column that must be there.
_ON_A_COLUMN = {"AT_DropColumn", "AT_AlterColumnType", "AT_ColumnDefault", "AT_SetNotNull", "AT_DropNotNull"}


def object_probes(index: int, preceding: Preceding, node: str, body: Any) -> Iterator[Probe]:
    """The probes for the objects of one statement.

    Args:
        index: its number.
        preceding: what the statements before it may have changed.
        node: libpg_query's name for it.
        body: its parse tree.
    """
    reading = _Objects(index, preceding)
    for what, since in newer_syntax(node, body):
        yield Newer(index, what, since)
    if node in ("index_stmt", "drop_stmt") and body.concurrent:
        yield from reading.concurrently(node, body)
    if node == "alter_table_stmt":
        yield from reading.altered(body)
    elif node == "drop_stmt":
        yield from reading.dropped(body)
    elif node == "rename_stmt":
        yield from reading.renamed(body)
    elif node == "create_stmt":
        yield from reading.columns_of(body)
    else:
        for each in _used(node, body):
            yield from reading.needed(each)
        if node == "create_trig_stmt":
            yield from reading.called(strings(body.funcname))
    yield from reading.made(node, body)


def _used(node: str, body: Any) -> Iterator[Name]:
    """The relations that a statement works on, under names that are not the statement's own."""
    if node in _ROWS or node in ("create_trig_stmt", "index_stmt"):
        yield relation(body.relation)
    elif node == "create_policy_stmt":
        yield relation(body.table)
    elif node == "truncate_stmt":
        yield from (relation(item.range_var) for item in body.relations)
    elif node == "view_stmt":
        named = {item.ctename for item in of(body.query, "CommonTableExpr")}
        found = of(body.query, "RangeVar")
        yield from (relation(item) for item in found if item.schemaname or item.relname not in named)


class _Objects:
    """Reads one statement, knowing what the statements before it may have changed."""

    def __init__(self, index: int, preceding: Preceding) -> None:
        self.index = index
        self.preceding = preceding

    def needed(self, written: Name, kind: str = "OBJECT_TABLE") -> Iterator[Probe]:
        """The probe for a relation that must be there."""
        name, before = self.preceding.full(written), self.preceding
        if name in before.names | before.conditional or before.extended:
            return
        if kind in _IMPLIED and any(name.name.startswith(beginning) for beginning in before.implied):
            return
        yield Needed(self.index, "relation", name, anywhere=written.schema is None)

    def called(self, parts: Sequence[str]) -> Iterator[Probe]:
        """The probe for a trigger's function."""
        written = Name(parts[-2] if len(parts) > 1 else None, parts[-1])
        if self.preceding.full(written) not in self.preceding.names and not self.preceding.extended:
            yield Needed(self.index, "function", self.preceding.full(written), anywhere=written.schema is None)

    def _type(self, parts: Sequence[str]) -> Iterator[Probe]:
        written = Name(parts[-2] if len(parts) > 1 else None, parts[-1])
        if self.preceding.full(written) not in self.preceding.names and not self.preceding.extended:
            yield Needed(self.index, "type", self.preceding.full(written), anywhere=written.schema is None)

    def columns_of(self, body: Any) -> Iterator[Probe]:
        """What the columns and foreign keys of a new table need; nothing of it is looked at if the table is there."""
        if body.if_not_exists:
            return
        own = self.preceding.full(relation(body.relation))
        for item in body.table_elts:
            if item.WhichOneof("node") == "column_def":
                yield from self._type_of(item.column_def)
        for constraint in of(body, "Constraint"):
            if constraint.HasField("pktable") and self.preceding.full(relation(constraint.pktable)) != own:
                yield from self.needed(relation(constraint.pktable))

    def _type_of(self, definition: Any) -> Iterator[Probe]:
        """The probe for the type of a column."""
        parts = strings(definition.type_name.names)
        if not (definition.type_name.pct_type or parts[:1] == ("pg_catalog",) or parts in _SERIAL):
            yield from self._type(parts)

    def _column(self, table: Name, column: str, touched: set[str]) -> Iterator[Probe]:
        if self._same(table) and (table, column) not in self.preceding.columns and column not in touched:
            yield Needed(self.index, "column", table, column)

    def _same(self, table: Name) -> bool:
        """Whether it is production's table, under the name that it has there."""
        return table not in self.preceding.names

    def _constraint_is_as_it_was(self, table: Name, name: str) -> bool:
        return self._same(table) and self.preceding.constraints.isdisjoint({(table, name), (table, "")})

    def altered(self, body: Any) -> Iterator[Probe]:
        """What ALTER TABLE needs, makes, and changes under others."""
        if enum_name(body, "objtype") not in {*_RELATIONS, "OBJECT_FOREIGN_TABLE"} or body.missing_ok:
            return
        yield from self.needed(relation(body.relation), enum_name(body, "objtype"))
        table = self.preceding.full(relation(body.relation))
        commands = [item.alter_table_cmd for item in body.cmds]
        actions = {enum_name(each, "subtype") for each in commands}
        if enum_name(body, "objtype") != "OBJECT_TABLE" or not actions <= _PLAIN_ACTIONS:
            return
        for command in commands:
            # PostgreSQL does not run the actions in the order of the text: what another one names is not as it was.
            others = [each for each in commands if each is not command]
            yield from self._action(table, command, others)

    def _action(self, table: Name, command: Any, others: Sequence[Any]) -> Iterator[Probe]:
        action, definition = enum_name(command, "subtype"), getattr(command, "def")
        touched = {other.name or getattr(other, "def").column_def.colname for other in others}
        adds = {enum_name(other, "subtype") for other in others} & {"AT_AddConstraint", "AT_AddColumn", "AT_DropColumn"}
        if action in _ON_A_COLUMN and not command.missing_ok:
            yield from self._column(table, command.name, touched)
        if action in ("AT_DropColumn", "AT_AlterColumnType") and enum_name(command, "behavior") != "DROP_CASCADE":
            yield from self._depending(table, command.name, touched, dropped=action == "AT_DropColumn")
        if action == "AT_AddColumn" and not command.missing_ok:
            name = definition.column_def.colname
            if self._same(table) and (table, name) not in self.preceding.columns and name not in touched:
                yield Made(self.index, "column", table, name)
        if action in ("AT_AddColumn", "AT_AlterColumnType"):
            yield from self._type_of(definition.column_def)
        given = action == "AT_DropConstraint" and not command.missing_ok and not adds and command.name not in touched
        if given and self._constraint_is_as_it_was(table, command.name):
            yield Needed(self.index, "constraint", table, command.name)
        if action == "AT_AddConstraint":
            constraint = definition.constraint
            if constraint.HasField("pktable"):
                yield from self.needed(relation(constraint.pktable))
            name = constraint.conname
            if name and not adds and name not in touched and self._constraint_is_as_it_was(table, name):
                yield Made(self.index, "constraint", table, name)

    def _depending(self, table: Name, column: str, touched: set[str], *, dropped: bool) -> Iterator[Probe]:
        before = self.preceding
        if not self._same(table) or (table, column) in before.columns or before.cascaded:
            return
        parts = touched | {name for _, name in before.constraints} | {name for _, name in before.columns}
        yield Depending(self.index, table, column, dropped, frozenset(before.names), frozenset(parts))

    def dropped(self, body: Any) -> Iterator[Probe]:
        """What DROP needs, and what others may depend on."""
        kind, cascades = enum_name(body, "remove_type"), enum_name(body, "behavior") == "DROP_CASCADE"
        if kind in _RELATIONS:
            written = [strings(item.list.items) for item in body.objects]
            names = [Name(parts[-2] if len(parts) > 1 else None, parts[-1]) for parts in written]
            together = {self.preceding.full(name) for name in names}
            for name in names:
                if not body.missing_ok:
                    yield from self.needed(name, kind)
                full = self.preceding.full(name)
                if kind in _DEPENDED_ON and not cascades and self._same(full) and not self.preceding.cascaded:
                    gone = frozenset(self.preceding.names | together)
                    parts = frozenset(name for _, name in self.preceding.constraints | self.preceding.columns)
                    yield Depending(self.index, full, "", dropped=True, gone=gone, parts=parts)
        elif kind == "OBJECT_TYPE" and not body.missing_ok:
            for item in body.objects:
                yield from self._type(strings(item.type_name.names))

    def renamed(self, body: Any) -> Iterator[Probe]:
        """What RENAME needs; the new name must be free."""
        kind = enum_name(body, "rename_type")
        if body.missing_ok:
            return
        if kind in _RELATIONS:
            yield from self.needed(relation(body.relation), kind)
            new = Name(self.preceding.full(relation(body.relation)).schema, body.newname)
            yield from self._free("relation", new)
        elif kind == "OBJECT_COLUMN" and enum_name(body, "relation_type") == "OBJECT_TABLE":
            yield from self.needed(relation(body.relation))
            yield from self._column(self.preceding.full(relation(body.relation)), body.subname, set())
        elif kind == "OBJECT_TYPE":
            yield from self._type(strings(body.object.list.items))

    def concurrently(self, node: str, body: Any) -> Iterator[Probe]:
        """What CONCURRENTLY does not allow: a transaction block, and a partitioned table."""
        if self.preceding.in_block:
            yield Concurrently(self.index, None)
        elif node == "index_stmt" and self._same(table := self.preceding.full(relation(body.relation))):
            yield Concurrently(self.index, table)

    def made(self, node: str, body: Any) -> Iterator[Probe]:
        """What a statement makes, and must not find."""
        if getattr(body, "if_not_exists", False) or getattr(body, "replace", False):
            return
        named = {"create_stmt": "relation", "create_seq_stmt": "sequence", "view_stmt": "view"}.get(node)
        if named is not None:
            range_var = getattr(body, named)
            if range_var.relpersistence != "t":
                yield from self._free("relation", relation(range_var))
        elif node == "create_table_as_stmt" and body.into.rel.relpersistence != "t":
            yield from self._free("relation", relation(body.into.rel))
        elif node == "index_stmt" and body.idxname:
            yield from self._free("relation", Name(self.preceding.full(relation(body.relation)).schema, body.idxname))
        elif node == "create_enum_stmt":
            parts = strings(body.type_name)
            yield from self._free("type", Name(parts[-2] if len(parts) > 1 else None, parts[-1]))
        elif node == "alter_enum_stmt":
            parts = strings(body.type_name)
            yield from self._type(parts)
            name = self.preceding.full(Name(parts[-2] if len(parts) > 1 else None, parts[-1]))
            if not body.old_val and not body.skip_if_new_val_exists and name not in self.preceding.names:
                yield Made(self.index, "label", name, body.new_val)
        elif node == "create_schema_stmt" and body.schemaname not in self.preceding.schemas:
            yield Made(self.index, "schema", Name(None, body.schemaname))

    def _free(self, kind: str, written: Name) -> Iterator[Probe]:
        name, before = self.preceding.full(written), self.preceding
        schema = name.schema or ""
        if schema not in before.schemas and not schema.startswith("pg_temp"):
            yield Needed(self.index, "schema", Name(None, schema))
        if name not in before.names | before.conditional and not before.cascaded:
            changed = {table for table, _ in before.columns} | {table for table, _ in before.constraints}
            yield Made(self.index, kind, name, changed=frozenset(changed | before.names))
