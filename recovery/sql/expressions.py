"""Expressions of a script that are safe to use in a query on production, written from the parse tree."""

from dataclasses import dataclass
from typing import Any

from recovery.sql.parser import postgast
from recovery.sql.tree import strings, walk

#: Types whose bare name always means the one in pg_catalog. Other bare names are taken for types of the schema.
_OWN_TYPES = {"text", "uuid", "date", "json", "jsonb", "bytea", "name", "inet", "cidr", "float4", "float8"}

#: The kinds of nodes that an expression may consist of. Any other kind (sub-selects, CURRENT_DATE, …) is refused.
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
        sql: the expression, in which types of the schema have a qualified name.
        columns: the columns that it reads.
        functions: bare name and number of arguments of each function that it calls. Before use, each must be found to
            be PostgreSQL's own, and immutable.
        operators: bare names of the operators that it uses.
        types: the types that it casts to, as `to_regtype` reads them.
    """

    sql: str
    columns: frozenset[str] = frozenset()
    functions: frozenset[tuple[str, int]] = frozenset()
    operators: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()


def identifier(name: str) -> str:
    """A name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def column(name: str) -> Expression:
    """The expression that consists of one column."""
    return Expression(identifier(name), frozenset({name}))


def expression(node: Any, schema: str) -> Expression | None:
    """Reads an expression from a script.

    Args:
        node: its parse tree.
        schema: the schema of unqualified types.

    Returns:
        None if it could mean something else in a query on production than in the script.
    """
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
    """Whether a call has parts of an aggregate or of a window function, or a VARIADIC argument."""
    return any(field.name in _PARTS_OF_CALLS for field, _ in call.ListFields())


def _written(node: Any) -> str | None:
    """The expression as SQL; None if parsing that SQL does not give the same expression again."""
    query = postgast.parse("SELECT 1")
    query.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(node)
    try:
        text = postgast.deparse(query)
        again = postgast.parse(text).stmts[0].stmt.select_stmt.target_list[0].res_target.val
    except postgast.PgQueryError:
        return None
    return text.removeprefix("SELECT ") if _bare(again) == _bare(node) else None


def _bare(node: Any) -> bytes:
    """A parse tree, serialized without the positions of its nodes in the text."""
    copy = type(node)()
    copy.CopyFrom(node)
    for part in walk(copy):
        for field in ("location", "rexpr_list_start", "rexpr_list_end", "list_start", "list_end"):
            if field in part.DESCRIPTOR.fields_by_name:
                part.ClearField(field)
    return bytes(copy.SerializeToString(deterministic=True))
