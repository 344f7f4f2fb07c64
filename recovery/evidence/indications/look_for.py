"""Derives queries with which a person can look for the effect of an open statement. They are shown, and never run here.

A query is derived from the statement's parse tree; some statements have none. It only reads, and calls only functions
that are known to change nothing.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from recovery.evidence.indications.fragments import (
    NoQueryError,
    Scene,
    alias_of,
    columns_in,
    comparable,
    expression,
    from_items,
    is_fixed,
    known,
    literal,
    named,
    only_reads,
    query_text,
    settles,
    statement_of,
)
from recovery.evidence.indications.tables import Tables
from recovery.sql.names import quoted
from recovery.sql.parser import postgast
from recovery.sql.tree import enum_name, functions, of, strings

#: What a statement that sets the search path has in its text; names written with escapes have a backslash.
_PATH = re.compile(r"search_path|set_config|\bschema\b|\\", re.IGNORECASE)
#: The most rows of an INSERT that are looked for; a query with thousands of rows could not be read.
_MOST_ROWS = 50


def names_in(sql: str, schema: str) -> frozenset[tuple[str, str]]:
    """The tables that a query for this statement may read, by schema and name; unqualified ones get `schema`."""
    try:
        statement = statement_of(sql)
    except NoQueryError:
        return frozenset()
    return frozenset((item.schemaname or schema, item.relname) for item in of(statement, "RangeVar"))


def look_for(sql: str, schema: str | None, tables: Tables) -> tuple[str, ...]:
    """Queries that look for the effect of a statement, the best first, each below a comment on how to read its result.

    Args:
        sql: one statement of a migration.
        schema: the schema of unqualified names; None if it is not known: a statement with unqualified names then has
            no query.
        tables: the tables of `names_in` that production has.
    """
    try:
        statement = statement_of(sql)
        kind = statement.WhichOneof("node")
        derive = _BY_KIND.get(kind)
        if derive is None:
            return ()
        body = getattr(statement, kind)
        _qualify(body, schema)
        queries = tuple(derive(Scene(body, tables, schema)))
        for query in queries:
            postgast.parse(query)
    except (NoQueryError, postgast.PgQueryError):
        return ()
    return queries


def sets_path(sql: str) -> bool:
    """Whether a statement may set the search path, and so the schema of unqualified names after it."""
    if not _PATH.search(sql):
        return False
    try:
        statement = statement_of(sql)
    except NoQueryError:
        return True
    setting = statement.WhichOneof("node") == "variable_set_stmt" and statement.variable_set_stmt.name == "search_path"
    return setting or "set_config" in functions(statement)


def _qualify(body: Any, schema: str | None) -> None:
    """Qualifies every table, because whoever runs the query may have another search path than Prisma."""
    queries = {item.ctename for item in of(body, "CommonTableExpr")}
    for item in of(body, "RangeVar"):
        if not item.schemaname and item.relname not in queries:
            item.schemaname = known(schema)


def _update(scene: Scene) -> Iterator[str]:
    body, types = scene.body, scene.table(scene.body.relation).types
    alias, where = alias_of(body.relation), scene.condition()
    head, source = scene.with_clause(), from_items(body.relation, body.from_clause)
    assigned = {item.res_target.name: item.res_target for item in body.target_list}
    if not assigned.keys() <= types.keys():
        raise NoQueryError
    undone = []
    for column, target in assigned.items():
        read = columns_in(target.val) & assigned.keys()
        if target.indirection or not is_fixed(target.val) or read - {column} or (read and not settles(target.val)):
            continue
        there, wanted = f"{alias}.{quoted(column)}", f"({expression(target.val)})::{types[column]}"
        undone.append(f"{comparable(there, types[column])} IS DISTINCT FROM {comparable(wanted, types[column])}")
    reads_own = bool(body.HasField("where_clause") and columns_in(body.where_clause) & assigned.keys())
    if undone:
        remark = (
            "-- Rows that the statement would still change. 0: it ran, or had nothing to change. More: it has not "
            "changed these rows."
        )
        if reads_own:
            remark = (
                "-- Rows that the statement would still change; rows that it has changed no longer match. "
                "0: it ran, or had nothing to change."
            )
        missing = " OR ".join(undone)
        yield f"{remark}\n{head}SELECT count(*) AS to_do FROM {source}\n WHERE ({where})\n   AND ({missing});"
    elif reads_own:
        yield (
            "-- Rows that still match the statement's condition, which reads the columns that it sets. 0: it ran, or "
            "had nothing to change.\n"
            f"{head}SELECT count(*) AS to_do FROM {source}\n WHERE {where};"
        )
    else:
        values = ", ".join(f"{alias}.{quoted(column)}::text AS {quoted(column)}" for column in assigned)
        numbers = ", ".join(str(number) for number in range(1, len(assigned) + 1))
        yield (
            "-- The ten most frequent values in the rows that the statement changes: are they from before, or after?\n"
            f"{head}SELECT {values}, count(*) AS rows FROM {source}\n WHERE {where}\n"
            f" GROUP BY {numbers} ORDER BY count(*) DESC LIMIT 10;"
        )


def _delete(scene: Scene) -> Iterator[str]:
    body = scene.body
    scene.table(body.relation)
    yield (
        "-- Rows that the statement would delete. 0: it ran, or there were none. More: it did not run, or they were "
        "added since.\n"
        f"{scene.with_clause()}SELECT count(*) AS still_there FROM {from_items(body.relation, body.using_clause)}\n"
        f" WHERE {scene.condition()};"
    )


def _truncate(scene: Scene) -> Iterator[str]:
    parts = []
    for item in scene.body.relations:
        scene.table(item.range_var)
        name = named(item.range_var)
        parts.append(f"EXISTS (SELECT FROM {name}) AS {quoted('rows in ' + item.range_var.relname)}")
    yield (
        "-- f: the statement ran, or there were no rows. t: it did not run, or rows were added since.\n"
        f"SELECT {', '.join(parts)};"
    )


def _insert(scene: Scene) -> Iterator[str]:
    body, table = scene.body, scene.table(scene.body.relation)
    if body.select_stmt.WhichOneof("node") != "select_stmt":
        raise NoQueryError
    select = body.select_stmt.select_stmt
    width = _width(select)
    columns = [item.res_target.name for item in body.cols] or list(table.types)[:width]
    if not set(columns) <= table.types.keys() or any(item.res_target.indirection for item in body.cols):
        raise NoQueryError
    fixed = {columns[position] for position in _fixed_positions(select) if position < len(columns)}
    if body.HasField("with_clause"):
        if select.HasField("with_clause"):
            raise NoQueryError
        select.with_clause.CopyFrom(body.with_clause)
    rows, total = _first_rows(select)
    what = (
        "the rows that the statement inserts"
        if total is None
        else f"the statement's {rows} rows"
        if total == rows
        else f"the first {rows} of the statement's {total} rows"
    )
    conflict = [item.index_elem.name for item in body.on_conflict_clause.infer.index_elems]
    key = next((each for each in (conflict, table.key) if each and all(each) and set(each) <= fixed), None)
    compared = [column for column in columns if column in (key or fixed)]
    if not compared:
        raise NoQueryError
    by = f"looked for by {', '.join(compared)}"
    remark = f"-- Of {what}, the number that are missing ({by}). 0: all are there" + (
        ", or the statement's query gives none." if total is None else f". {rows}: none is."
    )
    source = f"({query_text(select)}) AS s({', '.join(quoted(column) for column in columns)})"
    stated = {c: comparable(f"s.{quoted(c)}::{table.types[c]}", table.types[c]) for c in compared}
    there = {c: comparable(f"t.{quoted(c)}", table.types[c]) for c in compared}
    name = named(body.relation)
    if key:
        same = " AND ".join(f"{there[c]} = {stated[c]}" for c in compared)
        yield (
            f"{remark}\nSELECT count(*) AS missing FROM {source}\n"
            f" WHERE NOT EXISTS (SELECT FROM {name} AS t WHERE {same});"
        )
    else:
        yield (
            f"{remark}\nSELECT count(*) AS missing FROM (\n  SELECT {', '.join(stated.values())} FROM {source}\n"
            f"  EXCEPT SELECT {', '.join(there.values())} FROM {name} AS t) AS x;"
        )


def _width(select: Any) -> int:
    while select.HasField("larg"):
        select = select.larg
    return len(select.values_lists[0].list.items) if select.values_lists else len(select.target_list)


def _first_rows(select: Any) -> tuple[int, int | None]:
    """Cuts VALUES to its first rows. Returns how many are left, and how many there were; None for a query's rows."""
    total = len(select.values_lists)
    del select.values_lists[_MOST_ROWS:]
    return len(select.values_lists), total or None


def _fixed_positions(select: Any) -> set[int]:
    """The positions of a query's columns whose values are fixed. In the tree, the other columns become NULL."""
    if select.values_lists:
        rows = [row.list.items for row in select.values_lists]
    elif select.HasField("larg"):
        return set(range(_width(select))) if is_fixed(select) else set()
    else:
        rows = [[item.res_target.val for item in select.target_list]]
    loose = {place for row in rows for place, value in enumerate(row) if not is_fixed(value)}
    null = postgast.parse("SELECT NULL").stmts[0].stmt.select_stmt.target_list[0].res_target.val
    for row in rows:
        for place in loose:
            row[place].CopyFrom(null)
    return set(range(_width(select))) - loose


def _create_as(scene: Scene) -> Iterator[str]:
    query = scene.body.query
    if query.WhichOneof("node") != "select_stmt":
        raise NoQueryError
    yield from _both_ways(scene, scene.body.into.rel, query_text(query.select_stmt))


def _both_ways(scene: Scene, target: Any, query: str) -> Iterator[str]:
    """Queries that compare a table with the query that fills it: by their rows, else by the number of rows alone."""
    scene.table(target)
    name = named(target)
    counts = (
        f"(SELECT count(*) FROM {name}) AS rows_there,\n       (SELECT count(*) FROM ({query}) q) AS rows_of_the_query"
    )
    yield (
        "-- The table's rows, compared with the rows that its query gives now. missing = more = 0: this query filled "
        "it.\n"
        f"SELECT {counts},\n"
        f"       (SELECT count(*) FROM (({query}) EXCEPT ALL TABLE {name}) q) AS missing,\n"
        f"       (SELECT count(*) FROM (TABLE {name} EXCEPT ALL ({query})) q) AS more;"
    )
    yield f"-- How many rows the table has, and how many its query gives now.\nSELECT {counts};"


def _refresh(scene: Scene) -> Iterator[str]:
    definition = scene.table(scene.body.relation).definition
    if not definition:
        raise NoQueryError
    only_reads(statement_of(definition))
    yield from _both_ways(scene, scene.body.relation, definition)


def _alter_sequence(scene: Scene) -> Iterator[str]:
    options = [item.def_elem for item in scene.body.options]
    if not any(option.defname == "restart" for option in options):
        raise NoQueryError
    yield from _last_value(literal(named(scene.body.sequence)), "")


def _last_value(sequence: str, expected: str) -> Iterator[str]:
    yield (
        "-- The last number that the sequence gave; NULL: it has given none since it was set to its start.\n"
        f"SELECT q.last_value{expected} FROM pg_catalog.pg_sequences AS q\n"
        f" WHERE format('%I.%I', q.schemaname, q.sequencename)::regclass = to_regclass(({sequence})::text);"
    )


def _setval(scene: Scene) -> Iterator[str]:
    select = scene.body
    if select.HasField("into_clause"):
        target = select.into_clause.rel
        select.ClearField("into_clause")
        yield from _both_ways(scene, target, query_text(select))
        return
    calls = [item.res_target.val.func_call for item in select.target_list]
    if (
        len(calls) != 1
        or strings(calls[0].funcname)[-1:] != ("setval",)
        or select.from_clause
        or len(calls[0].args) == 1
    ):
        raise NoQueryError
    for argument in (calls[0].args[0], *calls[0].args[0].func_call.args[:1]):
        name = argument.a_const.sval
        if name.sval and "." not in name.sval:
            name.sval = f"{quoted(known(scene.schema))}.{name.sval}"
    sequence, value, *_ = (expression(argument) for argument in calls[0].args)
    yield from _last_value(sequence, f", ({value}) AS expected")


def _alter_table(scene: Scene) -> Iterator[str]:
    body = scene.body
    table, name = scene.table(body.relation), named(body.relation)
    for item in body.cmds:
        command = item.alter_table_cmd
        definition = getattr(command, "def")
        action = enum_name(command, "subtype")
        if action == "AT_AddColumn" and _fills(definition.column_def):
            # The column may be missing, so the query reads it through JSON, where a missing name is no error.
            value = f"to_jsonb(t) ->> {literal(definition.column_def.colname)}"
            yield (
                "-- All rows filled, with the values that the statement gives: it ran. None filled: the column was "
                "made without them, or is missing.\n"
                f"SELECT count(*) AS rows, count({value}) AS filled, count(DISTINCT {value}) AS different,\n"
                f"       min({value}) AS lowest, max({value}) AS highest FROM {name} AS t;"
            )
        elif action == "AT_AlterColumnType" and definition.column_def.HasField("raw_default"):
            if command.name not in table.types:
                raise NoQueryError
            column = f"t.{quoted(command.name)}"
            yield (
                "-- The column's ten most frequent values: as they were, or as USING makes them?\n"
                f"SELECT pg_typeof({column}) AS type, {column}::text AS value, count(*) AS rows FROM {name} AS t\n"
                " GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 10;"
            )
        elif action == "AT_SetIdentity" and any(e.def_elem.defname == "restart" for e in definition.list.items):
            sequence = f"pg_get_serial_sequence({literal(name)}, {literal(command.name)})"
            yield from _last_value(sequence, "")


def _fills(column: Any) -> bool:
    """Whether adding the column gives a value to existing rows."""
    kinds = {enum_name(item.constraint, "contype") for item in column.constraints}
    serial = strings(column.type_name.names)[-1:] in (("serial",), ("bigserial",), ("smallserial",))
    return serial or not kinds.isdisjoint(("CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"))


_BY_KIND: dict[str, Callable[[Scene], Iterator[str]]] = {
    "update_stmt": _update,
    "delete_stmt": _delete,
    "truncate_stmt": _truncate,
    "insert_stmt": _insert,
    "create_table_as_stmt": _create_as,
    "refresh_mat_view_stmt": _refresh,
    "alter_seq_stmt": _alter_sequence,
    "select_stmt": _setval,
    "alter_table_stmt": _alter_table,
}
