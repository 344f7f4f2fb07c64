"""Splits a script into statements, and reads the properties of each from its parse tree (libpg_query's) alone."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from recovery.errors import RecoveryError
from recovery.sql import blocks
from recovery.sql.confined import confined
from recovery.sql.names import PARTS, STATING, Name, names_of
from recovery.sql.parser import postgast
from recovery.sql.row_bearing import RowWork, row_work
from recovery.sql.survey import sets_path
from recovery.sql.tree import enum_name, functions, of, remembered, strings


class ScriptError(RecoveryError):
    """The script can't be parsed as SQL, so nothing is known of its steps."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """One statement of a script.

    Attributes:
        index: its number in the script, from 1.
        sql: its text, without the semicolon.
        node: libpg_query's name for it, such as `create_stmt`.
        actions: the number of its actions. If PostgreSQL skipped as many, the statement did nothing.
        opaque: its text does not tell which objects it works on.
        skippable: if PostgreSQL skips it, the objects that it names are compared instead (RULES E9).
        stating: it only says what columns of a table are. If it changes nothing, these columns are compared instead.
        additive: it only adds to the schema. Where its effect is there already, it fails or changes nothing.
        schema_only: it runs no user code and writes no rows, so an error of it is about the schema.
        atomic: if it fails, it leaves nothing behind.
        conditional: where its effect is there already, it changes nothing (IF NOT EXISTS, OR REPLACE …).
        guarded: at least one of its actions is conditional.
        control: it begins or ends a transaction.
        opens: it begins a transaction or marks a place in one, and does nothing else.
        moves_path: it is inert, and may change which schemas an unqualified name is looked up in.
        inert: why it changes nothing by its nature (the allow-list of RULES E4); empty otherwise.
        forbidden: why it must not run in a scratch database (RULES E15); empty if it may.
        work: what it may do to rows beyond what the schema shows (RULES E18).
        confined: it changes only what it names, and what belongs to that (`recovery.sql.confined`).
        calls: bare names of the functions that it calls.
        names: every object that it names.
    """

    index: int
    sql: str
    node: str
    actions: int
    opaque: bool
    skippable: bool
    stating: bool
    additive: bool
    schema_only: bool
    atomic: bool
    conditional: bool
    guarded: bool
    control: bool
    opens: bool
    moves_path: bool
    inert: str
    forbidden: str
    work: RowWork
    confined: bool
    calls: frozenset[str]
    names: frozenset[Name]


#: Statements that reach beyond the scratch database, with the reason. They are refused, whatever the role may do.
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
#: Matches the blanks and comments between two words of a statement.
GAP = r"(?:\s|/\*[\s\S]*\*/|--[^\n]*\n)+"
_FORBIDDEN_WORDS = re.compile(
    r"\b(dblink\w*|postgres_fdw\w*|file_fdw\w*|lo_import|lo_export|pg_read_\w*file|pg_write_\w*file|pg_file_\w+"
    r"|pg_ls_\w+|pg_stat_file|pg_execute_server_program|pg_reload_conf|pg_terminate_backend|pg_rotate_logfile"
    rf"|alter{GAP}system|(create|alter|drop){GAP}(role|user|group|database|tablespace|subscription|server)\b"
    r"|copy\s[^;]*\bprogram\b"
    r"|copy\s*(\([^;]*\)|[\w.\"%]+(\s*\([^;)]*\))?)\s*\b(from|to)\s+(e?'|%|\$))",
    re.IGNORECASE,
)

#: COPY from or to a program or a file, inside the body of a function or a DO block, where any file is on the server.
_COPIES = re.compile(rf"\bcopy\b[\s\S]*\b(from|to)(?:{GAP})?(program\b|e?'|u&'|\$|%)", re.IGNORECASE)

#: The only functions a SELECT may call and still change nothing, each with the numbers of its arguments: a function of
#: the same name with other arguments is the project's own.
_INERT_FUNCTIONS = {"set_config": (3,), "version": (0,), "current_setting": (1, 2)}


def _inert(node: str, body: Any) -> str:
    """Why a statement is inert, by the allow-list of RULES E4; empty if it is not on the list.

    A statement that is not on it is open if its step does not change the schema.
    """
    if node == "variable_set_stmt":
        return "a setting of the session"
    if node == "variable_show_stmt":
        return "shows a setting"
    if node == "transaction_stmt":
        return "transaction control"
    if node == "lock_stmt":
        return "a lock"
    if node == "vacuum_stmt" and not body.is_vacuumcmd:
        return "gathers statistics, which are neither schema nor rows"
    if node == "select_stmt":
        reads = any(True for _ in of(body, "RangeVar")) or body.HasField("with_clause")
        # Operators, and casts to types that are not PostgreSQL's, run functions of anybody's.
        runs = any(True for kind in ("A_Expr", "SubLink") for _ in of(body, kind))
        casts = all(strings(each.type_name.names)[:1] == ("pg_catalog",) for each in of(body, "TypeCast"))
        plain = not reads and not runs and casts
        if plain and not body.HasField("into_clause") and all(map(_is_inert, of(body, "FuncCall"))):
            return "a constant SELECT"
    return ""


def _is_inert(call: Any) -> bool:
    (name,) = functions(call) - {inner for each in call.args for inner in functions(each)} or {""}
    constant = all(each.WhichOneof("node") == "a_const" for each in call.args)
    return constant and len(call.args) in _INERT_FUNCTIONS.get(name, ())


_BODIES = ("do_stmt", "create_function_stmt")
#: Extensions that reach other servers, or files.
REACHING = ("dblink", "file_fdw", "postgres_fdw", "adminpack")


def _forbidden(node: str, body: Any, sql: str) -> str:
    if reason := _FORBIDDEN_NODES.get(node):
        return reason
    if node == "copy_stmt" and (body.is_program or body.filename):
        return "copies from or to a program or a file"
    if node == "copy_stmt" and body.is_from:
        return "takes rows from its client, and Prisma sends none"
    if node == "create_extension_stmt" and body.extname in REACHING:
        return "loads an extension that reaches other servers or files"
    # To the parser, bodies of DO and of functions are plain text, so they are searched for words. A false alarm costs a
    # question to a person; a miss would run the statement, maybe on somebody's server.
    if match := _FORBIDDEN_WORDS.search(sql) or (_COPIES.search(sql) if node in _BODIES else None):
        return f"uses {match[0].split()[0].lower()}, which reaches beyond the database"
    return ""


#: Statements whose actions are in a text that the parser does not read, or in functions.
_OPAQUE = {"do_stmt", "call_stmt", "execute_stmt", "explain_stmt", "prepare_stmt"}

#: Kinds of transaction control after which everything is as it was before.
_OPENING = {"TRANS_STMT_BEGIN", "TRANS_STMT_START", "TRANS_STMT_SAVEPOINT"}

#: Settings that change the search path, or which of its schemas count.
_PATH_SETTINGS = ("search_path", "role", "session_authorization")

#: Statements that can commit before they end, besides a DO block that may (RULES E12).
_OWN_TRANSACTIONS = {"call_stmt", "vacuum_stmt", "reindex_stmt", "cluster_stmt"}


def _opaque(node: str, body: Any) -> bool:
    if node == "do_stmt" and (inner := blocks.statements_of(body)) is not None:
        return any(_opaque(*each) for each in inner)
    if node in _OPAQUE or (node == "select_stmt" and not _inert(node, body)):
        return True
    # CASCADE drops dependent objects that the text does not name; nor does it name a schema's objects or "all tables".
    if node == "drop_stmt":
        cascades = enum_name(body, "behavior") == "DROP_CASCADE"
        return cascades or enum_name(body, "remove_type") == "OBJECT_SCHEMA"
    if node == "alter_table_stmt":
        return any(enum_name(item.alter_table_cmd, "behavior") == "DROP_CASCADE" for item in body.cmds)
    if node == "rename_stmt":
        return enum_name(body, "rename_type") == "OBJECT_SCHEMA"
    return node == "grant_stmt" and enum_name(body, "targtype") == "ACL_TARGET_ALL_IN_SCHEMA"


#: Kinds of objects that snapshots of production show by name, or as a property of a table. If the replay skips a
#: DROP … IF EXISTS of another kind (schemas, publications, casts …), that proves nothing about production.
_FOUND_BY_NAME = {
    *PARTS,
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


def _skippable(node: str, body: Any) -> bool:
    if node == "drop_stmt":
        return enum_name(body, "remove_type") in _FOUND_BY_NAME
    if node == "alter_table_stmt":
        return enum_name(body, "objtype") in ("OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_VIEW", "OBJECT_MATVIEW")
    if node == "rename_stmt":
        return enum_name(body, "rename_type") in ("OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_VIEW", "OBJECT_SEQUENCE")
    return node in _CONDITIONAL


_ADDITIVE = {
    "create_stmt",
    "index_stmt",
    "create_enum_stmt",
    "create_domain_stmt",
    "create_range_stmt",
    "composite_type_stmt",
    "create_seq_stmt",
    "create_schema_stmt",
    "create_extension_stmt",
    "create_trig_stmt",
    "create_policy_stmt",
    "create_role_stmt",
    "create_stats_stmt",
    "comment_stmt",
}
_ADDITIVE_ACTIONS = {"AT_AddColumn", "AT_AddConstraint", "AT_SetNotNull", "AT_ValidateConstraint"}
#: Statements that run no user code: the additive ones, and others whose errors are about the names in their text.
_SCHEMA_ONLY = {*_ADDITIVE, "alter_table_stmt", "alter_enum_stmt", "drop_stmt", "rename_stmt", "view_stmt"}


def _of_a_table(node: str, body: Any) -> bool:
    """Whether a statement is about a part of a table, which is found by the table's name."""
    return node == "alter_table_stmt" or (node == "drop_stmt" and enum_name(body, "remove_type") in PARTS)


def _stating(node: str, body: Any) -> bool:
    """Whether a statement only says what columns of a table are, so that it does nothing where they are so already."""
    if node != "alter_table_stmt" or enum_name(body, "objtype") != "OBJECT_TABLE":
        return False
    return all(enum_name(item.alter_table_cmd, "subtype") in STATING for item in body.cmds)


def _moved(nodes: Sequence[tuple[str, Any]]) -> frozenset[str] | None:
    """The bare names, old and new, of tables that statements rename, so that they may mean others; None if any may."""
    if any(node == "alter_object_schema_stmt" for node, _ in nodes):
        return None
    renames = [
        body for node, body in nodes if node == "rename_stmt" and enum_name(body, "rename_type") == "OBJECT_TABLE"
    ]
    return frozenset(name for body in renames for name in (body.relation.relname, body.newname))


def _of_what_moves(node: str, body: Any, moved: frozenset[str] | None) -> bool:
    return moved is None or any(name.name in moved for name in names_of(node, body))


def _additive(node: str, body: Any) -> bool:
    if node == "alter_table_stmt":
        return all(enum_name(item.alter_table_cmd, "subtype") in _ADDITIVE_ACTIONS for item in body.cmds)
    return node in _ADDITIVE


def _conditions(body: Any) -> list[bool]:
    """For each action of a statement: is it conditional (IF NOT EXISTS)?"""
    fields = body.DESCRIPTOR.fields_by_name
    if "cmds" in fields:
        return [bool(item.alter_table_cmd.missing_ok) for item in body.cmds]
    words = ("if_not_exists", "missing_ok", "replace", "skip_if_new_val_exists")
    return [any(getattr(body, word) for word in words if word in fields)]


def _unqualified(node: str, body: Any) -> bool:
    return any(name.schema is None for name in names_of(node, body))


def _calls(node: str, body: Any) -> frozenset[str]:
    """Bare names of the functions that a statement calls, also in a DO block whose statements are known."""
    inner = blocks.statements_of(body) if node == "do_stmt" else None
    called = [functions(each) for _, each in inner or [(node, body)]]
    return frozenset(name.rpartition(".")[2] for names in called for name in names)


def _names(node: str, body: Any) -> frozenset[Name]:
    """Every object that a statement names, also in a DO block whose statements are known.

    Of what a block names, all properties count: its conditions may make it do nothing in the replay, and something in
    production. What a condition asks for by a string counts, too, where only production has it.
    """
    inner = blocks.statements_of(body) if node == "do_stmt" else None
    if inner is None:
        return names_of(node, body)
    found = {name for each in inner for name in names_of(*each)}
    asked = {Name(None, text) for text in blocks.asked_for(body)}
    return frozenset(found | asked | {replace(name, properties="") for name in found})


def _moves_path(node: str, body: Any) -> bool:
    """Whether an inert statement may change the search path: all but those that are known to change something else."""
    if node == "transaction_stmt":
        return enum_name(body, "kind") not in _OPENING
    if node == "variable_set_stmt":
        return body.name in ("", *_PATH_SETTINGS)
    return node != "lock_stmt"


def tree(text: str) -> list[tuple[str, Any]]:
    """The statements of a script, each as libpg_query's name for it and its parse tree, which is not to be changed.

    Raises:
        ScriptError: PostgreSQL's grammar (version 18) does not accept the script.
    """
    return _nodes(_parsed(text))


@lru_cache(maxsize=1)
def _parsed(text: str) -> Any:
    """The parse tree of a script. The last one is kept, since `parse` and `tree` are asked one after the other."""
    try:
        return postgast.parse(text)
    except postgast.PgQueryError as error:
        raise ScriptError(
            "replay.syntax",
            f"The script is not SQL that PostgreSQL's parser accepts: {error}.",
            "Correct the script, or decide by hand.",
        ) from error


def _nodes(result: Any) -> list[tuple[str, Any]]:
    return [(raw.stmt.WhichOneof("node"), getattr(raw.stmt, raw.stmt.WhichOneof("node"))) for raw in result.stmts]


#: The most scripts whose statements are kept. Each pending one is asked of each other that is pending.
_KEPT = 256


@lru_cache(maxsize=_KEPT)
def parse(text: str) -> tuple[Parsed, ...]:
    """Splits a script into its statements, with their properties.

    Raises:
        ScriptError: PostgreSQL's grammar (version 18) does not accept the script.
    """
    with remembered():
        return _read(text)


def _read(text: str) -> tuple[Parsed, ...]:
    result = _parsed(text)
    encoded = text.encode()
    nodes = _nodes(result)
    moves_names = any(sets_path(node, body) for node, body in nodes)
    moved = _moved(nodes)
    reasons = [_inert(node, body) for node, body in nodes]
    works = row_work(nodes, [bool(reason) for reason in reasons])
    parsed = []
    for position, (raw, (node, body)) in enumerate(zip(result.stmts, nodes, strict=True)):
        end = raw.stmt_location + raw.stmt_len if raw.stmt_len else len(encoded)
        sql = encoded[raw.stmt_location : end].decode().strip()
        inert, work = reasons[position], works[position]
        parsed.append(
            Parsed(
                index=position + 1,
                sql=sql,
                node=node,
                actions=len(body.cmds if node == "alter_table_stmt" else body.objects if node == "drop_stmt" else "1"),
                opaque=_opaque(node, body),
                skippable=_skippable(node, body)
                and not (moves_names and _unqualified(node, body))
                and not (_of_a_table(node, body) and _of_what_moves(node, body, moved)),
                stating=_stating(node, body)
                and not _of_what_moves(node, body, moved)
                and not (moves_names and _unqualified(node, body)),
                additive=_additive(node, body) and not work.why,
                schema_only=(bool(inert) and node != "vacuum_stmt")
                or (node in _SCHEMA_ONLY and not (work.why and not work.moves)),
                atomic=work.undone and node not in _OWN_TRANSACTIONS,
                conditional=all(_conditions(body)),
                guarded=node == "do_stmt" or any(_conditions(body)) or bool(getattr(body, "missing_ok", False)),
                control=node == "transaction_stmt",
                opens=node == "transaction_stmt" and enum_name(body, "kind") in _OPENING,
                moves_path=bool(inert) and _moves_path(node, body),
                inert=inert,
                forbidden=_forbidden(node, body, sql),
                work=work,
                confined=confined(node, body),
                calls=_calls(node, body),
                names=_names(node, body),
            )
        )
    return tuple(parsed)


def work_on_rows(text: str) -> frozenset[str]:
    """The statements of a script that may write rows, each with single spaces; of one that can't be parsed, all pieces.

    Args:
        text: the script.
    """
    try:
        found = [statement.sql for statement in parse(text) if statement.work.why]
    except ScriptError:
        found = text.split(";")
    return frozenset(" ".join(sql.split()) for sql in found) - {""}
