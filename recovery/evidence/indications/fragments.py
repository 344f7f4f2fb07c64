"""Pieces of SQL taken out of a parse tree, for queries that only read; and what can be said of their values."""

from dataclasses import dataclass
from typing import Any

from recovery.evidence.indications.tables import Table, Tables
from recovery.sql.names import quoted
from recovery.sql.parser import postgast
from recovery.sql.tree import functions, of, strings

# fmt: off
#: PostgreSQL's own functions that give the same for the same, and change nothing.
_FIXED = frozenset(
    (
        "lower", "upper", "initcap", "btrim", "ltrim", "rtrim", "concat", "concat_ws", "format", "replace",
        "translate", "substring", "substr", "split_part", "left", "right", "lpad", "rpad", "length", "char_length",
        "overlay", "position", "strpos", "reverse", "repeat", "md5", "sha256", "encode", "decode", "chr", "ascii",
        "regexp_replace", "regexp_match", "regexp_matches", "regexp_split_to_array", "regexp_split_to_table",
        "string_to_array", "array_to_string", "unnest", "array_append", "array_prepend", "array_cat", "array_remove",
        "array_replace", "array_length", "cardinality", "array_position", "round", "trunc", "abs", "ceil", "ceiling",
        "floor", "mod", "power", "sqrt", "sign", "div", "to_char", "to_date", "to_number", "to_timestamp",
        "date_trunc", "date_part", "extract", "timezone", "make_date", "make_interval", "make_timestamp", "age",
        "generate_series", "jsonb_build_object", "jsonb_build_array", "json_build_object", "json_build_array",
        "to_jsonb", "to_json", "jsonb_set", "jsonb_insert", "jsonb_array_elements", "jsonb_array_elements_text",
        "jsonb_each", "jsonb_each_text", "jsonb_object_keys", "jsonb_typeof", "jsonb_array_length",
        "jsonb_strip_nulls", "row_to_json", "jsonb_agg", "jsonb_object_agg", "json_agg", "count", "sum", "min",
        "max", "avg", "bool_and", "bool_or", "every", "array_agg", "string_agg", "row_number", "rank", "dense_rank",
        "lag", "lead", "first_value", "last_value", "ntile", "like_escape", "similar_to_escape",
        "pg_get_serial_sequence", "quote_ident", "quote_literal"
    )
)
#: The same for a whole statement, and another one later.
_OF_THE_MOMENT = frozenset(
    (
        "now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "current_setting"
    )
)
#: Applied a second time these change nothing more.
_SETTLING = frozenset(
    (
        "lower", "upper", "initcap", "btrim", "ltrim", "rtrim"
    )
)
# fmt: on
#: Types without equality, and what of them can be compared.
_COMPARED_AS = {"json": "jsonb", "xml": "text", "point": "text", "polygon": "text", "path": "text"}
_WRITERS = ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "LockingClause")


class NoQueryError(Exception):
    """No query can be derived."""


def statement_of(sql: str) -> Any:
    """The tree of one statement."""
    try:
        statements = postgast.parse(sql).stmts
    except postgast.PgQueryError as error:
        raise NoQueryError from error
    if len(statements) != 1:
        raise NoQueryError
    return statements[0].stmt


def known(schema: str | None) -> str:
    """The schema of unqualified names."""
    if schema is None:
        raise NoQueryError
    return schema


@dataclass(frozen=True, slots=True)
class Scene:
    """A statement's tree, with every name qualified, and what production has."""

    body: Any
    tables: Tables
    schema: str | None

    def table(self, range_var: Any) -> Table:
        """As production has it."""
        found = self.tables.get((range_var.schemaname, range_var.relname))
        if found is None:
            raise NoQueryError
        return found

    def with_clause(self) -> str:
        """`WITH … `, if the statement has one that only reads."""
        if not self.body.HasField("with_clause"):
            return ""
        only_reads(self.body.with_clause)
        select = postgast.parse("SELECT 1")
        select.stmts[0].stmt.select_stmt.with_clause.CopyFrom(self.body.with_clause)
        return _deparsed(select).removesuffix("SELECT 1").rstrip() + "\n"

    def condition(self) -> str:
        """Its WHERE; `true` without one."""
        if not self.body.HasField("where_clause"):
            return "true"
        return expression(self.body.where_clause)


def _deparsed(tree: Any) -> str:
    return str(postgast.deparse(tree))


def only_reads(node: Any) -> None:
    """Refuses what could write, or call what does."""
    if not functions(node) <= _FIXED | _OF_THE_MOMENT or any(True for kind in _WRITERS for _ in of(node, kind)):
        raise NoQueryError


def expression(node: Any) -> str:
    """An expression as SQL."""
    only_reads(node)
    select = postgast.parse("SELECT 1")
    select.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(node)
    return _deparsed(select).removeprefix("SELECT ")


def from_items(relation: Any, more: Any = ()) -> str:
    """What stands behind FROM: a table, and more items."""
    for item in more:
        only_reads(item)
    select = postgast.parse("SELECT 1")
    clause = select.stmts[0].stmt.select_stmt.from_clause
    clause.add().range_var.CopyFrom(relation)
    clause.extend(more)
    return _deparsed(select).removeprefix("SELECT 1 FROM ")


def query_text(node: Any) -> str:
    """A SELECT as SQL."""
    only_reads(node)
    whole = postgast.parse("SELECT 1")
    whole.stmts[0].stmt.select_stmt.CopyFrom(node)
    return _deparsed(whole)


def named(range_var: Any) -> str:
    """A table's name, qualified and quoted."""
    return f"{quoted(range_var.schemaname)}.{quoted(range_var.relname)}"


def alias_of(range_var: Any) -> str:
    """What a statement calls its table."""
    return quoted(range_var.alias.aliasname or range_var.relname)


def literal(text: str) -> str:
    """A text as a constant."""
    return "'" + text.replace("'", "''") + "'"


def is_fixed(node: Any) -> bool:
    """Whether an expression has the same value now as when the statement ran, on the same rows."""
    kinds = ("SQLValueFunction", "SetToDefault", "MultiAssignRef", "ParamRef", *_WRITERS)
    return functions(node) <= _FIXED and not any(True for kind in kinds for _ in of(node, kind))


def settles(node: Any) -> bool:
    """Whether computing it again from its own result changes nothing."""
    return functions(node) <= _SETTLING and not any(
        True for kind in ("A_Expr", "SubLink", "CaseExpr", "BoolExpr", "MinMaxExpr") for _ in of(node, kind)
    )


def columns_in(node: Any) -> set[str]:
    """Names of the columns that an expression reads."""
    return {strings(item.fields)[-1] for item in of(node, "ColumnRef") if strings(item.fields)}


def comparable(value: str, of_type: str | None) -> str:
    """A value as something that has equality."""
    other = _COMPARED_AS.get(of_type or "")
    return f"({value})::{other}" if other else value
