"""A migration's script as statements, and what its text alone tells of each (libpg_query's parse tree)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import postgast

from recovery.errors import RecoveryError


class ScriptError(RecoveryError):
    """The script cannot be read as SQL, so nothing is known of its steps."""


@dataclass(frozen=True, slots=True)
class Name:
    """An object that a statement names.

    Attributes:
        schema: None where the search path decides.
        properties: what of it the statement is about even when it changes nothing (RULES E9): None for
            its existence only, "" for everything, "column x" for that column.
    """

    schema: str | None
    name: str
    properties: str | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """One statement of a script.

    Attributes:
        index: 1 for the first.
        sql: its text, without the semicolon.
        node: libpg_query's name for it, as `create_stmt`.
        actions: how many things it does; it did nothing at all if PostgreSQL skipped as many.
        opaque: what it works on can't be told from its text.
        skippable: where PostgreSQL skipped it, what it names was compared instead (RULES E9).
        control: it begins or ends a transaction.
        inert: why it changes nothing by its nature (RULES E4's allow-list), or empty.
        forbidden: why it must not run in a scratch database (RULES E15), or empty.
        rows: why it writes rows although it is DDL (RULES E5), or empty.
        names: every object that it names.
    """

    index: int
    sql: str
    node: str
    actions: int
    opaque: bool
    skippable: bool
    control: bool
    inert: str
    forbidden: str
    rows: str
    names: frozenset[Name]


#: Statements that reach beyond the scratch database. Refused whoever runs them.
_FORBIDDEN_NODES = {
    **dict.fromkeys(
        ("create_role_stmt", "alter_role_stmt", "alter_role_set_stmt", "drop_role_stmt", "grant_role_stmt"),
        "changes roles of the whole server",
    ),
    **dict.fromkeys(("reassign_owned_stmt", "drop_owned_stmt"), "changes what roles own"),
    **dict.fromkeys(
        ("createdb_stmt", "dropdb_stmt", "alter_database_stmt", "alter_database_set_stmt"),
        "changes databases",
    ),
    "alter_database_refresh_coll_stmt": "changes databases",
    "alter_system_stmt": "changes the server's configuration",
    **dict.fromkeys(
        (
            "create_table_space_stmt",
            "drop_table_space_stmt",
            "alter_table_space_options_stmt",
            "alter_table_move_all_stmt",
        ),
        "works on tablespaces",
    ),
    **dict.fromkeys(
        ("create_subscription_stmt", "alter_subscription_stmt", "drop_subscription_stmt"),
        "connects to another server",
    ),
    **dict.fromkeys(
        (
            "create_fdw_stmt",
            "alter_fdw_stmt",
            "create_foreign_server_stmt",
            "alter_foreign_server_stmt",
            "create_user_mapping_stmt",
            "alter_user_mapping_stmt",
            "drop_user_mapping_stmt",
            "create_foreign_table_stmt",
            "import_foreign_schema_stmt",
        ),
        "reaches a foreign server",
    ),
    "load_stmt": "loads a library into the server",
    "check_point_stmt": "works on the whole server",
}
_FORBIDDEN_WORDS = re.compile(
    r"\b(dblink\w*|postgres_fdw\w*|file_fdw\w*|lo_import|lo_export|pg_read_\w*file|pg_write_\w*file|pg_file_\w+"
    r"|pg_ls_\w+|pg_stat_file|pg_execute_server_program|pg_reload_conf|pg_terminate_backend|pg_rotate_logfile"
    r"|alter\s+system|(create|alter|drop)\s+(role|user|group|database|tablespace|subscription|server)\b"
    r"|copy\s[^;]*\bprogram\b"
    r"|copy\s*(\([^;]*\)|[\w.\"%]+(\s*\([^;)]*\))?)\s*\b(from|to)\s+(e?'|%|\$))",
    re.IGNORECASE,
)

#: Functions whose value is the same for every row of one statement; a default of these writes nothing a
#: hand-made column would not have.
_STABLE_FUNCTIONS = {
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "timezone",
    "date_trunc",
    "lower",
    "upper",
}

#: The only functions a SELECT may call and still change nothing.
_INERT_FUNCTIONS = {"set_config", "version", "current_setting"}


def _children(message: Any) -> Iterator[tuple[str, Any]]:
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if hasattr(value, "ListFields"):
            yield descriptor.name, value
        else:
            for item in value:
                yield descriptor.name, item


def _walk(message: Any) -> Iterator[Any]:
    yield message
    for _, child in _children(message):
        yield from _walk(child)


def _of(message: Any, kind: str) -> Iterator[Any]:
    return (node for node in _walk(message) if node.DESCRIPTOR.name == kind)


def _strings(nodes: Any) -> tuple[str, ...]:
    return tuple(node.string.sval for node in nodes if node.WhichOneof("node") == "string")


def _qualified(parts: tuple[str, ...], properties: str | None = None) -> Name | None:
    match parts:
        case (name,):
            return Name(None, name, properties)
        case (schema, name):
            return Name(None if schema == "pg_catalog" else schema, name, properties)
        case (*_, schema, name):
            return Name(schema, name, properties)
        case _:
            return None


def _relation(range_var: Any, properties: str | None = None) -> Name:
    return Name(range_var.schemaname or None, range_var.relname, properties)


#: ALTER TABLE's actions with IF [NOT] EXISTS, and the property they are about.
_COLUMN_ACTIONS = {"AT_AddColumn", "AT_DropColumn"}


def _conditional_names(node: str, body: Any) -> Iterator[Name]:
    """What a conditional clause is about: it may have been a no-op here and not in production, or the reverse."""
    if node == "create_stmt" and body.if_not_exists:
        yield _relation(body.relation, "")
    elif node == "index_stmt" and body.if_not_exists:
        yield Name(body.relation.schemaname or None, body.idxname, "")
    elif node == "create_seq_stmt" and body.if_not_exists:
        yield _relation(body.sequence, "")
    elif node == "create_table_as_stmt" and body.if_not_exists:
        yield _relation(body.into.rel, "")
    elif node == "alter_enum_stmt" and body.skip_if_new_val_exists:
        if name := _qualified(_strings(body.type_name), ""):
            yield name
    elif node == "alter_table_stmt":
        for item in body.cmds:
            command = item.alter_table_cmd
            if not command.missing_ok:
                continue
            action = command.DESCRIPTOR.fields_by_name["subtype"].enum_type.values_by_number[command.subtype].name
            column = command.name or _added_column(command)
            kind = "column" if action in _COLUMN_ACTIONS else "constraint"
            yield _relation(body.relation, f"{kind} {quoted(column)}")


def _added_column(command: Any) -> str:
    definition = getattr(command, "def")
    return str(definition.column_def.colname) if definition.WhichOneof("node") == "column_def" else ""


_PLAIN_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*\Z")


#: KeywordKind's NO_KEYWORD and UNRESERVED_KEYWORD: the words that `quote_ident` leaves bare.
_BARE = (0, 1)


@cache
def quoted(identifier: str) -> str:
    """The identifier as `quote_ident` writes it, so that it meets the names in a snapshot."""
    if _PLAIN_IDENTIFIER.match(identifier) and postgast.scan(identifier).tokens[0].keyword_kind in _BARE:
        return identifier
    return '"' + identifier.replace('"', '""') + '"'


def _names(node: str, body: Any) -> frozenset[Name]:
    names: set[Name | None] = set(_conditional_names(node, body))
    names.update(_relation(item) for item in _of(body, "RangeVar") if item.relname)
    names.update(_qualified(_strings(item.names)) for item in _of(body, "TypeName"))
    if node == "index_stmt" and body.idxname:
        names.add(Name(body.relation.schemaname or None, body.idxname))
    for field in ("type_name", "defnames", "domainname", "sequence_name"):
        if field in body.DESCRIPTOR.fields_by_name and not hasattr(getattr(body, field), "ListFields"):
            value = getattr(body, field)
            if not isinstance(value, str):
                names.add(_qualified(_strings(value)))
    for item in _of(body, "ObjectWithArgs"):
        names.add(_qualified(_strings(item.objname)))
    if node in ("create_schema_stmt", "create_extension_stmt"):
        names.add(Name(None, body.schemaname if node == "create_schema_stmt" else body.extname))
    if node == "create_function_stmt":
        names.add(_qualified(_strings(body.funcname)))
    if node in ("drop_stmt", "comment_stmt"):
        for item in _of(body, "List"):
            names.add(_qualified(_strings(item.items)))
        for item in getattr(body, "objects", ()):
            if item.WhichOneof("node") == "string":
                names.add(Name(None, item.string.sval))
    if node == "rename_stmt" and body.newname:
        schema = body.relation.schemaname or None
        names.add(Name(schema, body.newname))
    return frozenset(name for name in names if name is not None)


def _functions(body: Any) -> set[str]:
    """The functions it calls; one of a schema keeps it in its name, since only PostgreSQL's own are known."""
    parts = (_strings(call.funcname) for call in _of(body, "FuncCall"))
    return {".".join(each[1:] if each[0] == "pg_catalog" else each) for each in parts if each}


def _inert(node: str, body: Any) -> str:
    """RULES E4's allow-list. Whatever is not named here is open when its step shows nothing."""
    if node == "variable_set_stmt":
        return "a setting of the session"
    if node == "variable_show_stmt":
        return "shows a setting"
    if node == "transaction_stmt":
        return "transaction control"
    if node == "lock_stmt":
        return "a lock"
    if node == "select_stmt":
        reads = any(True for _ in _of(body, "RangeVar")) or body.HasField("with_clause")
        if not reads and not body.HasField("into_clause") and _functions(body) <= _INERT_FUNCTIONS:
            return "a constant SELECT"
    return ""


def _forbidden(node: str, body: Any, sql: str) -> str:
    if reason := _FORBIDDEN_NODES.get(node):
        return reason
    if node == "copy_stmt" and (body.is_program or body.filename):
        return "copies from or to a program or a file"
    if node == "create_extension_stmt" and body.extname in (
        "dblink",
        "file_fdw",
        "postgres_fdw",
        "adminpack",
    ):
        return "loads an extension that reaches other servers or files"
    # Bodies of DO and of functions are text to the parser, so words decide there; a false alarm costs a
    # question to a person, a miss would run on a server that may be somebody's.
    if match := _FORBIDDEN_WORDS.search(sql):
        return f"uses {match[0].split()[0].lower()}, which reaches beyond the database"
    return ""


def _is_pure_cast(expression: Any, column: str) -> bool:
    while expression.WhichOneof("node") == "type_cast":
        expression = expression.type_cast.arg
    return expression.WhichOneof("node") == "column_ref" and _strings(expression.column_ref.fields)[-1:] == (column,)


#: Words in a DO block that can change rows, or call what does; "ON DELETE CASCADE" is none of them.
_WRITES = re.compile(
    r"\b(insert|update|delete|merge|truncate|copy|execute|perform|call|select|setval|nextval|refresh)\b|:=",
    re.IGNORECASE,
)
_REFERENTIAL = re.compile(r"\bon\s+(delete|update)\b|\bif\s+(not\s+)?exists\s*\(\s*select\b", re.IGNORECASE)
_COMMITS = re.compile(r"\b(commit|call)\b", re.IGNORECASE)


def _body_of(block: Any) -> str:
    """The text of a DO block as PostgreSQL gets it."""
    return "\n".join(_text(item.def_elem) for item in block.args if item.WhichOneof("node") == "def_elem")


def _text(element: Any) -> str:
    argument = element.arg
    return str(argument.string.sval) if argument.WhichOneof("node") == "string" else ""


def _rows(node: str, body: Any, later: list[tuple[str, Any]], created: set[Name]) -> str:
    """RULES E5: rows that DDL writes are data, and the schema doesn't show whether they were written."""
    if node == "create_table_as_stmt" and not body.into.skip_data:
        return "" if body.objtype == _MATERIALIZED_VIEW else "CREATE TABLE AS writes rows"
    if node == "call_stmt" or (node == "do_stmt" and _COMMITS.search(_body_of(body))):
        return "it can commit on its way, so that what is seen of it doesn't show that it ended"  # RULES E12
    if node == "do_stmt" and _WRITES.search(_REFERENTIAL.sub("", _body_of(body))):
        return "a DO block that may write rows: only its DDL can be seen"
    if node == "select_stmt" and body.HasField("into_clause"):
        return "SELECT INTO writes rows"
    if node == "select_stmt" and not _inert(node, body):
        return "a SELECT can call what writes rows: only what it changes in the schema can be seen"
    if node != "alter_table_stmt" or _relation(body.relation) in created:
        return ""  # a table that this script itself creates has no rows that an ALTER could write
    for item in body.cmds:
        command = item.alter_table_cmd
        definition = getattr(command, "def").column_def
        action = command.DESCRIPTOR.fields_by_name["subtype"].enum_type.values_by_number[command.subtype].name
        if action == "AT_AlterColumnType" and definition.HasField("raw_default"):
            if not _is_pure_cast(definition.raw_default, command.name):
                return f"column {command.name} is computed by USING"
        elif action == "AT_AddColumn" and (reason := _added_rows(definition, body.relation, [(node, body), *later])):
            return reason
    return ""


def _added_rows(definition: Any, relation: Any, later: list[tuple[str, Any]]) -> str:
    serial = _strings(definition.type_name.names)[-1:] in (("serial",), ("bigserial",), ("smallserial",))
    default = None
    for item in definition.constraints:
        kind = item.constraint.DESCRIPTOR.fields_by_name["contype"].enum_type.values_by_number
        name = kind[item.constraint.contype].name
        if name == "CONSTR_IDENTITY":
            serial = True
        elif name == "CONSTR_DEFAULT":
            default = item.constraint.raw_expr
    if serial:
        return f"column {definition.colname} is numbered row by row"
    if default is None:
        return ""
    if not _functions(default) <= _STABLE_FUNCTIONS:
        return f"column {definition.colname} gets a volatile default row by row"
    for node, body in later:
        if node == "rename_stmt" and (body.relation.relname, body.subname) == (relation.relname, definition.colname):
            return f"column {definition.colname} gets a default, and another name later"
        # By the bare name: the search path may make two ways of writing it one table.
        if node != "alter_table_stmt" or body.relation.relname != relation.relname:
            continue
        for item in body.cmds:
            command = item.alter_table_cmd
            action = command.DESCRIPTOR.fields_by_name["subtype"].enum_type.values_by_number[command.subtype].name
            if command.name == definition.colname and action in ("AT_ColumnDefault", "AT_DropColumn"):
                return f"column {definition.colname} gets a default that a later statement changes"
    return ""


#: What these do is in a text that the parser doesn't read, or in functions.
_OPAQUE = {"do_stmt", "call_stmt", "execute_stmt", "explain_stmt", "prepare_stmt"}

#: DROP … IF EXISTS of these: an object of that name which only production has is found by its name. Of others
#: (triggers, policies, rules, schemas, publications, casts …) it is not, so that skipping one proves nothing.
_FOUND_BY_NAME = {
    "OBJECT_TABLE",
    "OBJECT_INDEX",
    "OBJECT_SEQUENCE",
    "OBJECT_VIEW",
    "OBJECT_MATVIEW",
    "OBJECT_TYPE",
    "OBJECT_DOMAIN",
    "OBJECT_FUNCTION",
    "OBJECT_PROCEDURE",
    "OBJECT_ROUTINE",
    "OBJECT_AGGREGATE",
    "OBJECT_STATISTIC_EXT",
}
_CONDITIONAL = {
    "create_stmt",
    "index_stmt",
    "create_seq_stmt",
    "create_schema_stmt",
    "create_extension_stmt",
    "create_table_as_stmt",
    "alter_enum_stmt",
}


def _enum_name(message: Any, field: str) -> str:
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    return str(descriptor.enum_type.values_by_number[getattr(message, field)].name)


def _skippable(node: str, body: Any) -> bool:
    if node == "drop_stmt":
        return _enum_name(body, "remove_type") in _FOUND_BY_NAME
    if node == "alter_table_stmt":
        return _enum_name(body, "objtype") in ("OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_VIEW", "OBJECT_MATVIEW")
    if node == "rename_stmt":
        return _enum_name(body, "rename_type") in ("OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_VIEW", "OBJECT_SEQUENCE")
    return node in _CONDITIONAL


def _unqualified(node: str, body: Any) -> bool:
    return any(name.schema is None for name in _names(node, body))


_MATERIALIZED_VIEW = next(
    value.number
    for value in postgast.pg_query_pb2.DESCRIPTOR.enum_types_by_name["ObjectType"].values
    if value.name == "OBJECT_MATVIEW"
)


def parse(text: str) -> tuple[Parsed, ...]:
    """Splits a script into its statements.

    Raises:
        ScriptError: PostgreSQL's grammar (version 18) does not accept the script.
    """
    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError as error:
        raise ScriptError(
            "replay.syntax",
            f"The script is not SQL as PostgreSQL's parser reads it: {error}.",
            "Correct the script, or decide by hand.",
        ) from error
    encoded = text.encode()
    nodes = [(raw.stmt.WhichOneof("node"), getattr(raw.stmt, raw.stmt.WhichOneof("node"))) for raw in tree.stmts]
    created: set[Name] = set()
    sets_path = any(node == "variable_set_stmt" and body.name == "search_path" for node, body in nodes)
    parsed = []
    for position, (raw, (node, body)) in enumerate(zip(tree.stmts, nodes, strict=True)):
        end = raw.stmt_location + raw.stmt_len if raw.stmt_len else len(encoded)
        sql = encoded[raw.stmt_location : end].decode().strip()
        if node == "create_stmt" and not body.if_not_exists:
            created.add(_relation(body.relation))
        parsed.append(
            Parsed(
                index=position + 1,
                sql=sql,
                node=node,
                actions=len(body.cmds if node == "alter_table_stmt" else body.objects if node == "drop_stmt" else "1"),
                opaque=node in _OPAQUE or (node == "select_stmt" and not _inert(node, body)),
                skippable=_skippable(node, body) and not (sets_path and _unqualified(node, body)),
                control=node == "transaction_stmt",
                inert=_inert(node, body),
                forbidden=_forbidden(node, body, sql),
                rows=_rows(node, body, nodes[position + 1 :], created),
                names=_names(node, body),
            )
        )
    return tuple(parsed)
