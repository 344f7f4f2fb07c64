"""What a script makes, drops and renames: it tells which of its names mean something of its own (RULES E20)."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from recovery.sql.names import Name, relation
from recovery.sql.tree import enum_name, functions, strings

#: Functions whose value is the same for every row of one statement, so that PostgreSQL keeps one value for them all.
STABLE_FUNCTIONS = {
    *("now", "transaction_timestamp", "statement_timestamp", "timezone", "date_trunc", "lower", "upper"),
}
#: Functions that return a value, and have no other effect.
GIVING = {
    *STABLE_FUNCTIONS,
    *("gen_random_uuid", "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "uuidv4", "uuidv7"),
    *("random", "clock_timestamp", "md5", "coalesce", "concat", "count", "max", "min", "sum", "length", "replace"),
}


@dataclass(slots=True)
class Survey:
    """What must be known of the whole script to judge one statement of it.

    Attributes:
        created: tables that it makes itself, under a name that means nothing else; they have no rows from before.
        made: bare names of every relation and schema that it makes, or gives that name.
        columns: every column that it makes, or gives that name, by the bare name of the table.
        added: columns that it adds, and can't have found, to a table whose name means nothing else.
        renames: it gives tables other names, so that a table's name may mean two.
        typed: how often it changes the type of a column.
        ungenerated: columns of which it drops the expression.
        fresh: tables that it makes itself, under a name that means nothing else.
        conditional: tables, and columns of tables, that it makes where they are not there, in the form of
            `RowWork.sure_if_absent`.
        labels: of each enum, by its bare name, the labels that it renames, and those that it makes or gives.
        fires: it makes triggers or rules.
        gone: bare names of relations and columns that it has dropped, or given another name, so far.
        anything_gone: so far it may have dropped or renamed what it does not name.
        anew: of names that it gives and that may have been another's before, the place of the statement that gives it.
        now: the place of the statement that is looked at, from 0.
    """

    created: set[Name] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    columns: Counter[tuple[str, str]] = field(default_factory=Counter)
    added: set[tuple[Name, str]] = field(default_factory=set)
    renames: bool = False
    typed: Counter[tuple[str, str]] = field(default_factory=Counter)
    ungenerated: set[str] = field(default_factory=set)
    fresh: set[Name] = field(default_factory=set)
    conditional: set[tuple[Name, str]] = field(default_factory=set)
    labels: dict[str, tuple[set[str], set[str]]] = field(default_factory=dict)
    fires: bool = False
    gone: set[str] = field(default_factory=set)
    anything_gone: bool = False
    anew: dict[str, int] = field(default_factory=dict)
    now: int = 0

    def makes_anew(self, name: str) -> None:
        """Notes a name that the statement gives, if it may have been another's: earlier statements mean that."""
        if self.anything_gone or name in self.gone:
            self.anew[name] = self.now

    def is_its_own(self, table: Name, column: str = "") -> bool:
        """Whether the statement means a table, or a column, that the script makes."""
        found = (table, column) in self.added if column else table in self.created
        return found and self.anew.get(column or table.name, -1) < self.now

    def makes(self, table: str, column: str) -> int:
        """How often it makes a column of that name, in that table or in one that may be the same."""
        return sum(
            count
            for (other, name), count in self.columns.items()
            if name == column and (self.renames or other == table)
        )

    @property
    def makes_anything(self) -> bool:
        """Whether it makes a relation, a schema or a column: what CASCADE drops may be made again."""
        return bool(self.made or self.columns)


#: The name of what a statement makes, of those whose name is in one place.
_MAKES: dict[str, Callable[[Any], str]] = {
    "create_table_as_stmt": lambda body: body.into.rel.relname,
    "create_seq_stmt": lambda body: body.sequence.relname,
    "view_stmt": lambda body: body.view.relname,
    "create_schema_stmt": lambda body: body.schemaname,
}


def survey(nodes: Sequence[tuple[int, str, Any]]) -> Survey:
    """Looks through a script.

    Args:
        nodes: its statements and those of its blocks: each with the place of the statement, from 0, libpg_query's name
            for it, and its parse tree.
    """
    script = Survey()
    created, attaches, renamed = set[Name](), False, set[str]()
    moves_names = any(sets_path(node, body) for _, node, body in nodes)
    for script.now, node, body in nodes:
        match node:
            case "create_stmt":
                script.made.add(body.relation.relname)
                if body.if_not_exists:
                    script.conditional.add((relation(body.relation), ""))
                elif body.relation.schemaname or not moves_names:
                    created.add(relation(body.relation))
                    script.makes_anew(body.relation.relname)
            case "select_stmt" if body.HasField("into_clause"):
                script.made.add(body.into_clause.rel.relname)
            case _ if node in _MAKES:
                script.made.add(_MAKES[node](body))
            case "rename_stmt" if enum_name(body, "rename_type") == "OBJECT_COLUMN":
                script.columns[body.relation.relname, body.newname] += 1
            case "rename_stmt":
                script.made.add(body.newname)
                renamed.add(body.newname)
            case "create_trig_stmt" | "rule_stmt" | "create_event_trig_stmt":
                script.fires = True
            case "alter_enum_stmt":
                _survey_label(body, script)
            case "alter_table_stmt":
                # PostgreSQL drops what one statement drops before it adds what it adds.
                commands = [item.alter_table_cmd for item in body.cmds]
                for command in sorted(commands, key=lambda each: enum_name(each, "subtype") != "AT_DropColumn"):
                    attaches |= _survey_action(command, body.relation, script)
        _survey_gone(node, body, script)
    script.renames = bool(renamed)
    script.fresh = {name for name in created if name.name not in renamed}
    script.created = set() if attaches else script.fresh
    script.conditional = set() if moves_names or renamed or attaches else script.conditional
    if moves_names or renamed:
        script.added.clear()
    return script


def _survey_gone(node: str, body: Any, script: Survey) -> None:
    """Notes what a statement drops, or gives another name: whatever is made under that name later is another thing."""
    match node:
        case "rename_stmt":
            script.gone |= {body.subname, body.relation.relname}
            script.anything_gone |= enum_name(body, "rename_type") == "OBJECT_SCHEMA"
        case "alter_object_schema_stmt":
            script.gone.add(body.relation.relname)
        case "drop_stmt":
            script.gone |= {name for names in dropped(body) for name in names}
            script.anything_gone |= enum_name(body, "behavior") == "DROP_CASCADE"
        case "do_stmt" | "call_stmt" | "execute_stmt":  # of a block that is known its own statements stand here
            script.anything_gone = True
        case "select_stmt":
            script.anything_gone |= not functions(body) <= GIVING


def _survey_label(body: Any, script: Survey) -> None:
    """Notes the label that a statement gives to an enum, and the one whose place it takes."""
    renamed, given = script.labels.setdefault(strings(body.type_name)[-1], (set(), set()))
    renamed.update({body.old_val} - {""})
    given.add(body.new_val)


def sets_path(node: str, body: Any) -> bool:
    """Whether a statement may change what an unqualified name means."""
    if node == "variable_set_stmt":
        return bool(body.name == "search_path")
    return node == "select_stmt" and "set_config" in functions(body)


def _survey_action(command: Any, table: Any, script: Survey) -> bool:
    """Notes a sub-command of ALTER TABLE; whether it brings rows of another table into this one."""
    match enum_name(command, "subtype"):
        case "AT_AddColumn":
            column = getattr(command, "def").column_def.colname
            script.columns[table.relname, column] += 1
            (script.conditional if command.missing_ok else script.added).add((relation(table), column))
            script.makes_anew(column)
        case "AT_DropColumn":
            script.gone.add(command.name)
            script.anything_gone |= enum_name(command, "behavior") == "DROP_CASCADE"
        case "AT_AlterColumnType":
            script.typed[table.relname, command.name] += 1
        case "AT_DropExpression":
            script.ungenerated.add(command.name)
        case "AT_AttachPartition" | "AT_AddInherit":
            return True
    return False


def dropped(body: Any) -> set[tuple[str, ...]]:
    """The bare names of what a statement drops, each in a tuple of its own."""
    names = {strings(item.list.items)[-1:] for item in body.objects if item.WhichOneof("node") == "list"}
    return names | {(item.string.sval,) for item in body.objects if item.WhichOneof("node") == "string"}
