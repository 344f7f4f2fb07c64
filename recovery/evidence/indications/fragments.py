"""Takes expressions and clauses out of a statement's parse tree, to build queries that only read."""

from dataclasses import dataclass
from typing import Any

from recovery.evidence.indications.tables import Table, Tables
from recovery.sql.names import quoted
from recovery.sql.parser import postgast
from recovery.sql.tree import functions, of, strings

# fmt: off
#: PostgreSQL's own functions that give the same result for the same arguments, and change nothing.
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
#: Functions that change nothing, and whose result differs from one time to another.
_OF_THE_MOMENT = frozenset(
    (
        "now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "current_setting"
    )
)
#: Functions that are idempotent: applied to their own result, they give it again.
_SETTLING = frozenset(
    (
        "lower", "upper", "initcap", "btrim", "ltrim", "rtrim"
    )
)
# fmt: on
#: Types without an equality operator, and the types that their values are compared as.
_COMPARED_AS = {"json": "jsonb", "xml": "text", "point": "text", "polygon": "text", "path": "text"}
_WRITERS = ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "LockingClause")


class NoQueryError(Exception):
    """No query can be derived from the statement."""


def statement_of(sql: str) -> Any:
    """The parse tree of one statement.

    Raises:
        NoQueryError: the text is not exactly one statement.
    """
    try:
        statements = postgast.parse(sql).stmts
    except postgast.PgQueryError as error:
        raise NoQueryError from error
    if len(statements) != 1:
        raise NoQueryError
    return statements[0].stmt


def known(schema: str | None) -> str:
    """The schema of unqualified names.

    Raises:
        NoQueryError: it is not known.
    """
    if schema is None:
        raise NoQueryError
    return schema


@dataclass(frozen=True, slots=True)
class Scene:
    """A statement's parse tree, and the tables of production that it names.

    Attributes:
        body: the tree, with every name qualified.
        tables: production's tables.
        schema: the schema of unqualified names; None if it is not known.
    """

    body: Any
    tables: Tables
    schema: str | None

    def table(self, range_var: Any) -> Table:
        """The table as production has it.

        Raises:
            NoQueryError: production does not have it.
        """
        found = self.tables.get((range_var.schemaname, range_var.relname))
        if found is None:
            raise NoQueryError
        return found

    def with_clause(self) -> str:
        """The statement's WITH clause as SQL; empty without one.

        Raises:
            NoQueryError: it may write.
        """
        if not self.body.HasField("with_clause"):
            return ""
        only_reads(self.body.with_clause)
        select = postgast.parse("SELECT 1")
        select.stmts[0].stmt.select_stmt.with_clause.CopyFrom(self.body.with_clause)
        return _deparsed(select).removesuffix("SELECT 1").rstrip() + "\n"

    def condition(self) -> str:
        """The statement's WHERE condition as SQL; `true` without one.

        Raises:
            NoQueryError: it may write.
        """
        if not self.body.HasField("where_clause"):
            return "true"
        return expression(self.body.where_clause)


def _deparsed(tree: Any) -> str:
    return str(postgast.deparse(tree))


def only_reads(node: Any) -> None:
    """Refuses a tree that may write, itself or through a function that it calls.

    Raises:
        NoQueryError: it may write.
    """
    if not functions(node) <= _FIXED | _OF_THE_MOMENT or any(True for kind in _WRITERS for _ in of(node, kind)):
        raise NoQueryError


def expression(node: Any) -> str:
    """An expression as SQL; NoQueryError if it may write."""
    only_reads(node)
    select = postgast.parse("SELECT 1")
    select.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(node)
    return _deparsed(select).removeprefix("SELECT ")


def from_items(relation: Any, more: Any = ()) -> str:
    """The items of a FROM clause as SQL: a table, and more items; NoQueryError if one may write."""
    for item in more:
        only_reads(item)
    select = postgast.parse("SELECT 1")
    clause = select.stmts[0].stmt.select_stmt.from_clause
    clause.add().range_var.CopyFrom(relation)
    clause.extend(more)
    return _deparsed(select).removeprefix("SELECT 1 FROM ")


def query_text(node: Any) -> str:
    """A SELECT as SQL; NoQueryError if it may write."""
    only_reads(node)
    whole = postgast.parse("SELECT 1")
    whole.stmts[0].stmt.select_stmt.CopyFrom(node)
    return _deparsed(whole)


def named(range_var: Any) -> str:
    """A table's name, qualified and quoted."""
    return f"{quoted(range_var.schemaname)}.{quoted(range_var.relname)}"


def alias_of(range_var: Any) -> str:
    """The name by which a statement refers to its table: the alias, or else the table's name."""
    return quoted(range_var.alias.aliasname or range_var.relname)


def literal(text: str) -> str:
    """A text as an SQL string constant."""
    return "'" + text.replace("'", "''") + "'"


def is_fixed(node: Any) -> bool:
    """Whether an expression always has the same value on the same rows."""
    kinds = ("SQLValueFunction", "SetToDefault", "MultiAssignRef", "ParamRef", *_WRITERS)
    return functions(node) <= _FIXED and not any(True for kind in kinds for _ in of(node, kind))


def settles(node: Any) -> bool:
    """Whether an expression is idempotent: computed again from its own result, it gives the same."""
    return functions(node) <= _SETTLING and not any(
        True for kind in ("A_Expr", "SubLink", "CaseExpr", "BoolExpr", "MinMaxExpr") for _ in of(node, kind)
    )


def columns_in(node: Any) -> set[str]:
    """Names of the columns that an expression reads."""
    return {strings(item.fields)[-1] for item in of(node, "ColumnRef") if strings(item.fields)}


def comparable(value: str, of_type: str | None) -> str:
    """A value as SQL, cast to a type with an equality operator where its own type has none."""
    other = _COMPARED_AS.get(of_type or "")
    return f"({value})::{other}" if other else value
