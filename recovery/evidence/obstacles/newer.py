"""Recognises syntax that older servers do not know."""

from collections.abc import Iterator
from typing import Any

from recovery.sql.tree import of


def newer_syntax(node: str, body: Any) -> Iterator[tuple[str, int]]:
    """The words of a statement that not every server knows, each with the first major version of PostgreSQL that does.

    Only what any older server surely refuses is listed.

    Args:
        node: libpg_query's name for the statement.
        body: its parse tree.
    """
    if node == "create_trig_stmt" and body.replace:
        yield "CREATE OR REPLACE TRIGGER", 14
    if node == "create_function_stmt" and body.HasField("sql_body"):
        yield "a function's body in standard SQL", 14
    if node == "merge_stmt":
        yield "MERGE", 15
    if node == "index_stmt" and body.nulls_not_distinct:
        yield "NULLS NOT DISTINCT", 15
    if node in ("create_stmt", "alter_table_stmt"):
        for column in of(body, "ColumnDef"):
            if column.compression:
                yield "COMPRESSION", 14
        for constraint in of(body, "Constraint"):
            if constraint.nulls_not_distinct:
                yield "NULLS NOT DISTINCT", 15
            if constraint.without_overlaps:
                yield "WITHOUT OVERLAPS", 18
            if constraint.fk_with_period:
                yield "PERIOD", 18
