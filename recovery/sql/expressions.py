"""Expressions of a script that may be asked of production: written anew from the parse tree, not cut from the text."""

from dataclasses import dataclass
from typing import Any

from recovery.sql.parser import postgast
from recovery.sql.tree import strings, walk

#: Types that PostgreSQL finds in pg_catalog however the search path is set. Other bare names are the schema's.
_OWN_TYPES = {"text", "uuid", "date", "json", "jsonb", "bytea", "name", "inet", "cidr", "float4", "float8"}

#: All that an expression may consist of. What is not named here (sub-selects, CURRENT_DATE, …) is not asked.
_ALLOWED = {
    *("Node", "List", "String", "Integer", "Float", "Boolean", "BitString"),
    *("ColumnRef", "A_Const", "A_Expr", "A_ArrayExpr", "BoolExpr", "NullTest", "BooleanTest"),
    *("FuncCall", "TypeCast", "TypeName", "CoalesceExpr", "MinMaxExpr", "CaseExpr", "CaseWhen"),
}
_PARTS_OF_CALLS = ("agg_order", "agg_filter", "over", "agg_within_group", "agg_star", "agg_distinct", "func_variadic")


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression over the columns of one table.

    Attributes:
        sql: the expression, with types of the schema qualified by it.
        columns: those that it reads.
        functions: those that it calls, by their bare names, with the number of arguments; each has to be
            PostgreSQL's own, and immutable.
        operators: their bare names.
        types: those that it casts to, as `to_regtype` reads them.
    """

    sql: str
    columns: frozenset[str] = frozenset()
    functions: frozenset[tuple[str, int]] = frozenset()
    operators: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()


def identifier(name: str) -> str:
    """The identifier in quotes, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def column(name: str) -> Expression:
    """The expression that is a column."""
    return Expression(identifier(name), frozenset({name}))


def expression(node: Any, schema: str) -> Expression | None:
    """An expression of a script, or None where it can't be asked of production just as the script would ask it."""
    own = type(node)()
    own.CopyFrom(node)
    parts = list(walk(own))
    if any(part.DESCRIPTOR.name not in _ALLOWED for part in parts):
        return None
    columns, operators, types = set[str](), set[str](), set[str]()
    functions = set[tuple[str, int]]()
    for part in parts:
        match part.DESCRIPTOR.name:
            case "ColumnRef":
                columns.add((strings(part.fields) or ("",))[-1])
            case "FuncCall":
                name = strings(part.funcname)
                if name[:-1] not in ((), ("pg_catalog",)) or _special(part):
                    return None
                functions.add((name[-1], len(part.args)))
            case "A_Expr":
                operators.update(strings(part.name)[-1:])
            case "TypeName":
                name = strings(part.names)
                if len(name) == 1 and name[0] not in _OWN_TYPES:
                    name = (schema, *name)
                    part.names.insert(0, type(part.names[0])(string={"sval": schema}))
                types.add(".".join(identifier(each) for each in name))
    sql = _written(own)
    if sql is None:
        return None
    return Expression(sql, frozenset(columns), frozenset(functions), frozenset(operators), frozenset(types))


def _special(call: Any) -> bool:
    """An aggregate, a window, or named arguments."""
    return any(field.name in _PARTS_OF_CALLS for field, _ in call.ListFields())


def _written(node: Any) -> str | None:
    """The expression as text; None if that text, read again, is not the same expression."""
    query = postgast.parse("SELECT 1")
    query.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(node)
    try:
        text = postgast.deparse(query)
        again = postgast.parse(text).stmts[0].stmt.select_stmt.target_list[0].res_target.val
    except postgast.PgQueryError:
        return None
    return text.removeprefix("SELECT ") if _bare(again) == _bare(node) else None


def _bare(node: Any) -> bytes:
    """A tree without the places of its parts in the text."""
    copy = type(node)()
    copy.CopyFrom(node)
    for part in walk(copy):
        for field in ("location", "rexpr_list_start", "rexpr_list_end", "list_start", "list_end"):
            if field in part.DESCRIPTOR.fields_by_name:
                part.ClearField(field)
    return bytes(copy.SerializeToString(deterministic=True))
