"""What earlier statements may change, so that today's production can't answer for it."""

from typing import Any

from recovery.sql.expressions import identifier
from recovery.sql.names import Name, relation
from recovery.sql.tree import enum_name, functions, of, strings

#: Statements that change neither rows, nor columns, nor the meaning of a name.
_HARMLESS = {
    *("comment_stmt", "lock_stmt", "variable_show_stmt"),
    *("create_trig_stmt", "create_policy_stmt", "create_stats_stmt"),
}
#: Settings that do not change the meaning of a statement.
_HARMLESS_SETTINGS = {
    *("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"),
    *("client_encoding", "client_min_messages", "check_function_bodies", "maintenance_work_mem", "work_mem"),
}
_COLUMNS = {"AT_AddColumn", "AT_DropColumn", "AT_AlterColumnType"}
_HARMLESS_ACTIONS = {
    *("AT_ColumnDefault", "AT_DropNotNull", "AT_SetNotNull", "AT_SetStatistics"),
    *("AT_AddConstraint", "AT_DropConstraint", "AT_ValidateConstraint", "AT_AddIdentity", "AT_DropIdentity"),
}
_RENAMED = {"OBJECT_TABLE", "OBJECT_COLUMN", "OBJECT_TYPE", "OBJECT_INDEX", "OBJECT_TABCONSTRAINT", "OBJECT_SEQUENCE"}
_DROPPED = {"OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_SEQUENCE", "OBJECT_TYPE"}
#: How much of a table's name surely stands in the name of an index or a sequence that PostgreSQL names after it.
_BEGINNING = 24
#: Whether a transaction block is open after a statement.
_BLOCK = {"TRANS_STMT_BEGIN": True, "TRANS_STMT_START": True, "TRANS_STMT_COMMIT": False}


class Preceding:
    """Accumulates the possible changes of the statements before one. An unknown statement may have changed everything.

    Attributes:
        schema: the schema of unqualified names.
        everything: anything may have been changed, rows above all.
        rights: privileges may have been changed.
        names: tables, types, indexes, functions that were made, dropped, or renamed.
        columns: columns that were added, dropped, or given another type, with their table.
        enums: labels of each enum that was made.
        conditional: tables that were made if they were not there (IF NOT EXISTS).
        schemas: schemas that were made.
        implied: beginnings of the names of indexes and sequences that were made along with a table or a constraint.
        constraints: constraints that were added or dropped, with their table; an empty name stands for any of it.
        cascaded: something may have been dropped that no statement names.
        extended: an extension was made, and with it objects that no statement names.
        in_block: a transaction block was begun, and is not ended.
    """

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self.everything = False
        self.rights = False
        self.names: set[Name] = set()
        self.columns: set[tuple[Name, str]] = set()
        self.enums: dict[Name, tuple[str, ...]] = {}
        self.conditional: set[Name] = set()
        self.schemas: set[str] = set()
        self.implied: set[str] = set()
        self.constraints: set[tuple[Name, str]] = set()
        self.cascaded = False
        self.extended = False
        self.in_block = False

    def full(self, name: Name) -> Name:
        """The name with its schema; an unqualified name is in the search path's schema."""
        return Name(name.schema or self.schema, name.name)

    def type_text(self, name: Name) -> str:
        """The name of a type, qualified and quoted, as `to_regtype` reads it."""
        return f"{identifier(name.schema or self.schema)}.{identifier(name.name)}"

    def after(self, node: str, body: Any) -> None:
        """Adds the possible changes of a statement.

        Args:
            node: libpg_query's name for the statement.
            body: its parse tree.
        """
        match node:
            case "create_stmt":
                self._made(body)
            case "create_seq_stmt":
                self.names.add(self.full(relation(body.sequence)))
            case "view_stmt":
                self.names.add(self.full(relation(body.view)))
            case "index_stmt":
                table = self.full(relation(body.relation))
                self.names.add(Name(table.schema, body.idxname))
                if not body.idxname:
                    self._implies(table, body)
            case "create_function_stmt":
                self.names.add(self._dotted(body.funcname))
            case "create_enum_stmt":
                name = self._dotted(body.type_name)
                self.names.add(name)
                self.enums[name] = strings(body.vals)
            case "alter_enum_stmt":
                self._gone(self._dotted(body.type_name))
            case "grant_stmt" | "alter_default_privileges_stmt":
                self.rights = True
            case "alter_table_stmt":
                self._altered(body)
            case "rename_stmt":
                self._renamed(body)
            case "drop_stmt":
                self._dropped(body)
            case _:
                self.everything = not (self._beside(node, body) or _harmless(node, body))

    def _beside(self, node: str, body: Any) -> bool:
        """Whether a statement changes nothing but what is noted here beside tables, columns, types and names."""
        if node == "create_extension_stmt":
            self.extended = True
        elif node == "create_schema_stmt" and not body.schema_elts:
            self.schemas.add(body.schemaname)
        elif node == "transaction_stmt" and enum_name(body, "kind") in _BLOCK:
            self.in_block = _BLOCK[enum_name(body, "kind")]
        else:
            return False
        return True

    def _made(self, body: Any) -> None:
        # IF NOT EXISTS leaves a table of production's as it is; rows are asked for only where there is one.
        table = self.full(relation(body.relation))
        temporary = body.relation.relpersistence == "t"
        (self.names if temporary or not body.if_not_exists else self.conditional).add(table)
        self._implies(table, body)

    def _implies(self, table: Name, body: Any) -> None:
        """Notes the names that PostgreSQL gives to indexes and sequences: the table's with more, or a constraint's."""
        self.implied.add(table.name[:_BEGINNING])
        self.implied.update(constraint.conname for constraint in of(body, "Constraint") if constraint.conname)

    def _dotted(self, parts: Any) -> Name:
        name = strings(parts)
        return Name(name[-2] if len(name) > 1 else self.schema, name[-1])

    def _gone(self, name: Name) -> None:
        self.names.add(name)
        self.enums.pop(name, None)

    def _altered(self, body: Any) -> None:
        table = self.full(relation(body.relation))
        for item in body.cmds:
            command = item.alter_table_cmd
            action = enum_name(command, "subtype")
            self.cascaded = self.cascaded or enum_name(command, "behavior") == "DROP_CASCADE"
            self._constrained(table, action, command)
            if action in _COLUMNS:
                self.columns.add((table, command.name or getattr(command, "def").column_def.colname))
            elif action not in _HARMLESS_ACTIONS:
                self.everything = True

    def _constrained(self, table: Name, action: str, command: Any) -> None:
        """Notes the constraints, and what else gets a name by itself, that an action of ALTER TABLE adds or drops."""
        if action == "AT_DropConstraint":
            self.constraints.add((table, command.name))
        elif action == "AT_AddConstraint" and getattr(command, "def").constraint.conname:
            self.constraints.add((table, getattr(command, "def").constraint.conname))
            self._implies(table, command)
        elif action in _COLUMNS or action in ("AT_AddConstraint", "AT_AddIdentity", "AT_DropIdentity"):
            self.constraints.add((table, ""))
            self._implies(table, command)

    def _renamed(self, body: Any) -> None:
        if enum_name(body, "rename_type") not in _RENAMED:
            self.everything = True
            return
        old = self.full(relation(body.relation)) if body.HasField("relation") else self._dotted(body.object.list.items)
        self._gone(old)
        self._gone(Name(old.schema, body.newname))

    def _dropped(self, body: Any) -> None:
        if enum_name(body, "remove_type") not in _DROPPED or enum_name(body, "behavior") == "DROP_CASCADE":
            self.everything = True
            return
        for item in body.objects:
            self._gone(self._dotted(item.type_name.names if item.HasField("type_name") else item.list.items))


def _harmless(node: str, body: Any) -> bool:
    if node == "transaction_stmt":
        return enum_name(body, "kind") == "TRANS_STMT_SAVEPOINT"
    if node == "variable_set_stmt":
        return body.name in _HARMLESS_SETTINGS
    if node == "select_stmt":
        return not functions(body) and not body.HasField("into_clause") and not any(True for _ in of(body, "RangeVar"))
    return node in _HARMLESS
