"""Which statements may do something to rows that the schema does not show (RULES E5, E18 to E20).

A statement counts as row-bearing unless it is on an allow-list here, each entry of which has its reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recovery.sql import blocks
from recovery.sql.names import Name, relation
from recovery.sql.survey import GIVING, STABLE_FUNCTIONS, Survey, dropped, survey
from recovery.sql.tree import enum_name, functions, of, strings

#: Statements that leave all rows as they are, whatever rows there are, each with the reason.
_LEAVES_ROWS = {
    "create_stmt": "a new table has no rows",
    "index_stmt": "an index repeats what its table holds",
    "create_enum_stmt": "a new type",
    "alter_enum_stmt": "a label more, or another name for one; rows refer to labels by number (but see `_of`)",
    "composite_type_stmt": "a new type",
    "create_range_stmt": "a new type",
    "create_domain_stmt": "a new type",
    "alter_domain_stmt": "checks rows, and does not change them; defaults are for rows to come",
    "alter_type_stmt": "options of a type",
    "create_schema_stmt": "a new schema; its tables have no rows",
    "create_extension_stmt": "its script makes objects of its own",
    "create_seq_stmt": "a new sequence, whose first value is in the schema",
    "create_trig_stmt": "works on changes to come",
    "rule_stmt": "works on queries to come",
    "create_policy_stmt": "who may see rows, not what they hold",
    "alter_policy_stmt": "who may see rows, not what they hold",
    "create_stats_stmt": "for the planner",
    "alter_stats_stmt": "for the planner",
    "comment_stmt": "a remark",
    "sec_label_stmt": "a remark",
    "view_stmt": "a view holds no rows",
    "create_function_stmt": "a body that is not run",
    "alter_function_stmt": "properties of a body that is not run",
    "define_stmt": "an aggregate, operator, type, collation or text search object",
    "create_cast_stmt": "used by queries to come",
    "create_op_class_stmt": "used by indexes to come",
    "create_op_family_stmt": "used by indexes to come",
    "grant_stmt": "who may do what",
    "alter_owner_stmt": "who may do what",
    "alter_default_privileges_stmt": "who may do what with objects to come",
    "create_role_stmt": "a role has no rows",
    "create_publication_stmt": "which changes to come are published",
    "alter_publication_stmt": "which changes to come are published",
}
#: Of ALTER TABLE, the sub-commands that leave all rows as they are. AT_DropColumn takes a column away as a whole, which
#: the schema shows; ADD COLUMN, ALTER TYPE and the rest are looked at one by one.
_ACTIONS_THAT_LEAVE_ROWS = {
    "AT_DropColumn",
    *("AT_AddConstraint", "AT_DropConstraint", "AT_ValidateConstraint", "AT_AlterConstraint", "AT_AddIndexConstraint"),
    *("AT_SetNotNull", "AT_DropNotNull", "AT_ColumnDefault", "AT_AddIdentity", "AT_DropIdentity"),
    *("AT_SetStorage", "AT_SetCompression", "AT_SetStatistics", "AT_SetOptions", "AT_ResetOptions"),
    *("AT_SetRelOptions", "AT_ResetRelOptions", "AT_ReplaceRelOptions", "AT_SetLogged", "AT_SetUnLogged"),
    *("AT_EnableTrig", "AT_EnableAlwaysTrig", "AT_EnableReplicaTrig", "AT_DisableTrig", "AT_EnableTrigAll"),
    *("AT_DisableTrigAll", "AT_EnableTrigUser", "AT_DisableTrigUser"),
    *("AT_EnableRule", "AT_EnableAlwaysRule", "AT_EnableReplicaRule", "AT_DisableRule"),
    *("AT_EnableRowSecurity", "AT_DisableRowSecurity", "AT_ForceRowSecurity", "AT_NoForceRowSecurity"),
    *("AT_ChangeOwner", "AT_ReplicaIdentity", "AT_ClusterOn", "AT_DropCluster", "AT_SetTableSpace"),
    *("AT_SetAccessMethod", "AT_AddInherit", "AT_DropInherit"),
}
#: Kinds of objects that hold rows or values, or by whose end columns may go.
_HOLD_ROWS = {"OBJECT_TABLE", "OBJECT_SEQUENCE", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"}
#: Objects that RENAME names otherwise without moving any rows to the name.
_RENAMED_WITHOUT_ROWS = {
    *("OBJECT_INDEX", "OBJECT_TABCONSTRAINT", "OBJECT_DOMCONSTRAINT", "OBJECT_TYPE", "OBJECT_DOMAIN", "OBJECT_VIEW"),
    *("OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_AGGREGATE", "OBJECT_TRIGGER", "OBJECT_POLICY"),
    *("OBJECT_RULE", "OBJECT_STATISTIC_EXT", "OBJECT_COLLATION"),
}
#: Types of PostgreSQL's by the names that libpg_query gives them. Another type may be a domain with a default.
_OWN_TYPES = {
    *("int2", "int4", "int8", "float4", "float8", "numeric", "bool", "text", "varchar", "bpchar", "char", "name"),
    *("date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid", "json", "jsonb", "bytea", "inet"),
    *("cidr", "macaddr", "bit", "varbit", "money", "xml", "oid", "tsvector", "tsquery", "point", "box", "path"),
    *("int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange"),
}
_SERIAL = {"serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"}


@dataclass(frozen=True, slots=True)
class RowWork:
    """What a statement may do to rows beyond what the schema shows.

    Attributes:
        why: what it may do, as a clause; empty if it leaves rows as they are.
        own: it writes only into what the script itself makes. Where these are absent, so are its rows.
        fills: columns that it adds to a table, and fills with one value.
        moves: columns whose values it keeps under another name or type, by the names that they have afterwards; an
            empty name stands for all rows of the table.
        typed: columns that it adds without a default, with the name of a type that may have one.
        sure_if_no_trigger: the table, if `own` holds only where no trigger is on it.
        sure_if_absent: tables, and columns of tables, that have to be absent before the script for `own` to hold: it
            makes them IF NOT EXISTS. An empty column stands for the table.
        computes: functions that it calls for every row. It leaves rows as they are only if each is one of PostgreSQL's
            own, and immutable.
        checked: the same, where PostgreSQL itself refuses a function that is not immutable: in an index, and in a
            generated column. Of a function that comes in several forms, one of them has to be immutable, as
            `to_tsvector` with the name of a configuration.
        undone: a rollback undoes all of it. A sequence's value stays (RULES E25).
        over: the table whose rows, and no others, it changes or deletes, if no trigger is on it. Where that has none,
            it does nothing.
    """

    why: str = ""
    own: bool = False
    fills: frozenset[str] = frozenset()
    moves: tuple[tuple[Name, str], ...] = ()
    typed: tuple[tuple[str, str], ...] = ()
    sure_if_no_trigger: Name | None = None
    sure_if_absent: tuple[tuple[Name, str], ...] = ()
    computes: frozenset[str] = frozenset()
    checked: frozenset[str] = frozenset()
    undone: bool = True
    over: Name | None = None


#: Statements that do something to rows, or may. One that is on neither list does, too; here it is said what.
_BEARING = {
    "refresh_mat_view_stmt": RowWork("the schema does not show when a materialized view was filled"),
    "call_stmt": RowWork("it can commit before it ends, so its visible changes don't show that it ended", undone=False),
    "execute_stmt": RowWork("the statement that it runs can write rows", undone=False),
    "explain_stmt": RowWork("the statement that it runs can write rows", undone=False),
    "alter_extension_stmt": RowWork("its script may do anything to rows of the extension"),
    "copy_stmt": RowWork("it works on rows"),
    "truncate_stmt": RowWork("it works on rows"),
    "merge_stmt": RowWork("it works on rows"),
}


def row_work(nodes: Sequence[tuple[str, Any]], inert: Sequence[bool]) -> list[RowWork]:
    """What each statement of a script may do to rows.

    Args:
        nodes: its statements, each as libpg_query's name for it and its parse tree.
        inert: for each, whether it changes nothing by its nature.
    """
    script = survey([(place, *each) for place, node in enumerate(nodes) for each in _flat(*node)])
    found = []
    for script.now, ((node, body), still) in enumerate(zip(nodes, inert, strict=True)):
        found.append(RowWork() if still else _of(node, body, script))
    return found


def _flat(node: str, body: Any) -> list[tuple[str, Any]]:
    inner = blocks.statements_of(body) if node == "do_stmt" else None
    return [(node, body)] if inner is None else inner


def _of(node: str, body: Any, script: Survey) -> RowWork:
    match node:
        case "alter_table_stmt":
            return _together([_of_action(item.alter_table_cmd, body.relation, script) for item in body.cmds])
        case "do_stmt":
            return _of_block(body, script)
        case "drop_stmt":
            return _of_drop(body, script)
        case "rename_stmt":
            return _of_rename(body)
        case "alter_object_schema_stmt":
            if enum_name(body, "object_type") in _RENAMED_WITHOUT_ROWS:
                return RowWork()
            moved = Name(body.newschema, body.relation.relname)
            return RowWork(f"the rows of {moved.name} keep their table, in another schema", moves=((moved, ""),))
        case "alter_enum_stmt":
            renamed, given = script.labels[strings(body.type_name)[-1]]
            # A type made anew with the same labels leaves in the rows the label that they had.
            return RowWork("a label takes another's place, and rows with it") if renamed & given else RowWork()
        case "alter_seq_stmt":
            restarts = any(option.def_elem.defname == "restart" for option in body.options)
            return RowWork("the schema does not show a sequence's next value") if restarts else RowWork()
        case "create_table_as_stmt" | "select_stmt" | "insert_stmt" | "update_stmt" | "delete_stmt":
            return _of_query(node, body, script)
    if node in _BEARING:
        return _BEARING[node]
    if node not in _LEAVES_ROWS:
        return RowWork("nothing shows what it does to rows", undone=False)
    if node == "index_stmt" and not script.is_its_own(relation(body.relation)):
        return RowWork(checked=frozenset(functions(body)))
    return RowWork()


def _together(parts: Sequence[RowWork]) -> RowWork:
    """What several parts of one statement do."""
    bearing = [part for part in parts if part.why]
    typed = tuple(each for part in parts for each in part.typed)
    computes = frozenset[str]().union(*(part.computes for part in parts))
    checked = frozenset[str]().union(*(part.checked for part in parts))
    if not bearing:
        return RowWork(typed=typed, computes=computes, checked=checked)
    open_ones = [part for part in bearing if not (part.own or part.moves)]
    shown = all(part.fills or part.moves for part in bearing)
    return RowWork(
        (open_ones or bearing)[0].why,
        own=not open_ones,
        fills=frozenset[str]().union(*(part.fills for part in bearing)) if shown else frozenset(),
        moves=tuple(each for part in bearing for each in part.moves) if shown else (),
        typed=typed,
        computes=computes,
        checked=checked,
        undone=all(part.undone for part in bearing),
    )


def _of_block(body: Any, script: Survey) -> RowWork:
    inner = blocks.statements_of(body)
    if inner is None:
        undone = blocks.undone_by_a_rollback(body, GIVING)
        return RowWork("a DO block that may do more than its changes to the schema show", undone=undone)
    parts = [RowWork() if node == "variable_set_stmt" else _of(node, each, script) for node, each in inner]
    work = _together(parts)
    if work.typed or work.why:
        # Which of its branches ran is not looked into, so nothing proves that rows were written in it.
        return RowWork(
            f"a DO block: {work.why or 'it adds a column whose type may have a default'}", undone=work.undone
        )
    return RowWork(computes=work.computes, checked=work.checked)


def _of_drop(body: Any, script: Survey) -> RowWork:
    kind = enum_name(body, "remove_type")
    cascades = enum_name(body, "behavior") == "DROP_CASCADE"
    holds = kind in _HOLD_ROWS or kind == "OBJECT_SCHEMA" or cascades
    if not holds:
        return RowWork()
    names = dropped(body)
    if any(name and name[0] in script.made for name in names) or (cascades and script.makes_anything):
        return RowWork("what it drops is made again later, without the rows")
    return RowWork()


def _of_rename(body: Any) -> RowWork:
    kind = enum_name(body, "rename_type")
    if kind in _RENAMED_WITHOUT_ROWS:
        return RowWork()
    if kind == "OBJECT_COLUMN":
        moved = (relation(body.relation), body.newname)
        return RowWork(f"the values of column {body.subname} stay, under the name {body.newname}", moves=(moved,))
    if kind == "OBJECT_TABLE":
        moved = (Name(body.relation.schemaname or None, body.newname), "")
        return RowWork(f"the rows of {body.relation.relname} stay, in a table {body.newname}", moves=(moved,))
    return RowWork(f"what {body.newname} holds was there under another name")


def _of_action(command: Any, table: Any, script: Survey) -> RowWork:
    action = enum_name(command, "subtype")
    if action == "AT_DropColumn":
        cascades = enum_name(command, "behavior") == "DROP_CASCADE"
        if script.makes(table.relname, command.name) or (cascades and script.makes_anything):
            return RowWork(f"column {command.name} is dropped and made again, without its values")
        return RowWork()
    if script.is_its_own(relation(table)):
        return RowWork()  # the script makes the table, so no rows are older
    if action == "AT_AddColumn":
        return _of_new_column(getattr(command, "def").column_def, script)
    if action == "AT_AlterColumnType":
        definition = getattr(command, "def").column_def
        if definition.HasField("raw_default") and not _is_pure_cast(definition, command.name):
            undone = functions(definition.raw_default) <= GIVING
            return RowWork(f"column {command.name} is computed by USING", undone=undone)
        if script.typed[table.relname, command.name] > 1:
            return RowWork(f"the type of column {command.name} changes twice, which may change its values")
        if not script.makes(table.relname, command.name):
            moved = (relation(table), command.name)
            return RowWork(f"the values of column {command.name} are cast to another type", moves=(moved,))
        return RowWork(f"the values of column {command.name} are cast to another type")
    if action == "AT_DropExpression":
        moved = (relation(table), command.name)
        return RowWork(f"the values of column {command.name} stay, and are computed no longer", moves=(moved,))
    if action == "AT_SetIdentity":
        restarts = any(option.def_elem.defname == "restart" for option in getattr(command, "def").list.items)
        return RowWork("the schema does not show a sequence's next value") if restarts else RowWork()
    if action in ("AT_AttachPartition", "AT_DetachPartition"):
        partition = relation(getattr(command, "def").partition_cmd.name)
        if partition in script.fresh and script.anew.get(partition.name, -1) < script.now:
            return RowWork()
        return RowWork(f"the rows of {partition.name} stay, in a table of that name", moves=((partition, ""),))
    if action == "AT_AddConstraint":
        return RowWork(computes=frozenset(functions(command)))
    return RowWork() if action in _ACTIONS_THAT_LEAVE_ROWS else RowWork("nothing shows what it does to rows")


def _of_new_column(definition: Any, script: Survey) -> RowWork:
    name, kind = definition.colname, strings(definition.type_name.names)[-1:]
    numbered = kind and kind[0] in _SERIAL
    default = None
    for item in definition.constraints:
        match enum_name(item.constraint, "contype"):
            case "CONSTR_IDENTITY":
                numbered = True
            case "CONSTR_DEFAULT":
                default = item.constraint.raw_expr
            case "CONSTR_GENERATED" if name in script.ungenerated:
                return RowWork(f"column {name} is computed once, and no longer afterwards", own=True)
            case "CONSTR_GENERATED":
                return RowWork(checked=frozenset(functions(item.constraint.raw_expr)))
    if numbered:
        return RowWork(f"column {name} is numbered row by row", own=True)
    if default is None:
        # An array of a domain is no domain.
        bare = kind and kind[0] not in _OWN_TYPES and not definition.type_name.array_bounds
        return RowWork(typed=((name, kind[0]),)) if bare else RowWork()
    if default.WhichOneof("node") == "a_const" and default.a_const.isnull:
        return RowWork()
    if not functions(default) <= STABLE_FUNCTIONS:
        giving = functions(default) <= GIVING
        return RowWork(f"column {name} gets a default that is computed row by row", own=giving, undone=giving)
    return RowWork(f"column {name} gets a default that existing rows may lack", own=True, fills=frozenset({name}))


def _of_query(node: str, body: Any, script: Survey) -> RowWork:
    if node == "create_table_as_stmt" and enum_name(body, "objtype") == "OBJECT_MATVIEW":
        # What it shows is computed from other rows, whoever makes it.
        return RowWork(computes=frozenset(functions(body)))
    if node == "create_table_as_stmt" and body.into.skip_data:
        return RowWork()
    why = {
        "create_table_as_stmt": "CREATE TABLE AS writes rows",
        "select_stmt": "a SELECT can call functions that write rows: only its changes to the schema can be seen",
        "insert_stmt": "it writes rows",
        "update_stmt": "it changes rows",
        "delete_stmt": "it deletes rows",
    }[node]
    calls = functions(body)
    if not calls <= GIVING or _writes_inside(body):
        return RowWork(why, undone=calls <= GIVING)
    if node == "create_table_as_stmt" or (node == "select_stmt" and body.HasField("into_clause")):
        return RowWork(why, own=not body.if_not_exists if node == "create_table_as_stmt" else True)
    if node == "select_stmt" or script.fires:
        return RowWork(why)
    table = relation(body.relation)
    if script.is_its_own(table):
        return RowWork(why, own=True)
    if (table, "") in script.conditional:
        return RowWork(why, own=True, sure_if_absent=((table, ""),))
    over = None if node == "insert_stmt" or script.renames else table
    if node == "update_stmt" and body.target_list:
        targets = {(table, item.res_target.name) for item in body.target_list}
        if not all(script.makes(table.name, column) == 1 for _, column in targets):
            return RowWork(why, over=over)
        if all(script.is_its_own(*each) or each in script.conditional for each in targets):
            absent = tuple(sorted(targets & script.conditional, key=str))
            return RowWork(why, own=True, sure_if_no_trigger=table, sure_if_absent=absent, over=over)
    return RowWork(why, over=over)


def _writes_inside(body: Any) -> bool:
    """Whether a query holds another one that writes, as in WITH … AS (UPDATE …)."""
    writing = ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "ExecuteStmt")
    return any(part is not body for kind in writing for part in of(body, kind))


def _is_pure_cast(definition: Any, column: str) -> bool:
    """Whether USING gives the column itself, cast to the very type that it gets, or to text before that.

    A cast to anything else may change the values, and the type that the column gets does not show it.
    """
    expression, kinds = definition.raw_default, []
    while expression.WhichOneof("node") == "type_cast":
        kinds.append(_type(expression.type_cast.type_name))
        expression = expression.type_cast.arg
    if kinds and (kinds[0] != _type(definition.type_name) or any(each != _TEXT for each in kinds[1:])):
        return False
    return expression.WhichOneof("node") == "column_ref" and strings(expression.column_ref.fields)[-1:] == (column,)


def _type(name: Any) -> tuple[Any, ...]:
    """A type as it is written: its name, its modifiers, and whether it is an array."""
    modifiers = tuple(each.a_const.ival.ival for each in name.typmods)
    known = all(each.WhichOneof("node") == "a_const" for each in name.typmods)
    return (strings(name.names), modifiers if known else object(), len(name.array_bounds), name.setof)


_TEXT = (("text",), (), 0, False)
