"""The causes of failed migrations, as a table: PostgreSQL's error codes and messages, and advice on each cause."""

from typing import NamedTuple


class Entry(NamedTuple):
    """One kind of cause.

    Attributes:
        kind: the name of the cause.
        codes: SQLSTATEs, or two characters for a whole class.
        advice: what it means and what to do, for people.
        sentences: patterns of PostgreSQL's messages, each with its SQLSTATE.
        transient: another attempt can succeed with nothing changed.
        prose: patterns of the messages that Prisma's JavaScript engine writes in the place of PostgreSQL's, each with
            its SQLSTATE; None if the message stands for several.
    """

    kind: str
    codes: tuple[str, ...]
    advice: str
    sentences: tuple[tuple[str, str], ...] = ()
    transient: bool = False
    prose: tuple[tuple[str, str | None], ...] = ()


_EDIT = "Once this attempt is resolved, correct the script, and deploy again."
_AGAIN = "Once the migration is proven absent, deploying again can succeed with nothing changed."

ENTRIES = (
    Entry(
        "object_exists",
        ("42P07", "42701", "42710", "42P06", "42723", "42P04", "42P03", "42P05"),
        "An object of that name was there already: from an earlier attempt, or made by hand.",
        (
            (r'relation ".+" already exists', "42P07"),
            (r'column ".+" of relation ".+" already exists', "42701"),
            (r'schema ".+" already exists', "42P06"),
            (r'(?:type|role|extension|enum label|policy|trigger|constraint) ".+" .*already exists', "42710"),
            (r"function .+ already exists with same argument types", "42723"),
        ),
    ),
    Entry(
        "schema_not_empty",
        (),
        "The database has tables but no ledger: baseline it, as Prisma's documentation describes.",
    ),
    Entry(
        "not_in_transaction",
        ("25001",),
        "This statement must be alone in its migration, outside a transaction. " + _EDIT,
        (
            (r".+ cannot run inside a transaction block", "25001"),
            (r".+ cannot be executed from a function", "25001"),
        ),
    ),
    Entry(
        "duplicates",
        ("23505",),
        "Existing rows are not unique. Clean them up, then deploy again.",
        (
            (r'could not create unique index ".+"', "23505"),
            (r'duplicate key value violates unique constraint ".+"', "23505"),
        ),
        prose=((r"Unique constraint failed: .*", "23505"),),
    ),
    Entry(
        "nulls",
        ("23502",),
        "Existing rows have no value in that column. Fill them, or give a default, then deploy again.",
        (
            (r'column ".+" of relation ".+" contains null values', "23502"),
            (r'column ".+" of table ".+" contains null values', "23502"),
            (r'null value in column ".+" .*violates not-null constraint', "23502"),
            (r"domain .+ does not allow null values", "23502"),
        ),
        prose=((r"Null constraint failed: .*", "23502"),),
    ),
    Entry(
        "foreign_key",
        ("23503", "23001"),
        "Existing rows refer to rows that do not exist. Clean them up, then deploy again.",
        (
            (r'(?:insert or )?update (?:or delete )?on table ".+" violates foreign key constraint ".+"', "23503"),
            (r'update or delete on table ".+" violates RESTRICT setting of foreign key constraint ".+"', "23001"),
        ),
        prose=(
            (r"Foreign key constraint failed: .*", "23503"),
            (r".*\bunknown variant `RestrictViolation`.*", "23001"),
        ),
    ),
    Entry(
        "check",
        ("23514", "23", "27", "44", "40002"),
        "Existing rows violate the new constraint. Clean them up, then deploy again.",
        (
            (r'check constraint ".+" (?:of relation ".+" )?is violated by some row', "23514"),
            (r'new row for relation ".+" violates (?:check|partition) constraint(?: ".+")?', "23514"),
            (r'(?:updated )?partition constraint .*of relation ".+" is violated by some row', "23514"),
            (r'updated partition constraint for default partition ".+" would be violated by some row', "23514"),
            (r'no partition of relation ".+" found for row', "23514"),
            (r'value for domain .+ violates check constraint ".+"', "23514"),
            (r'column ".+" of table ".+" contains values that violate the new constraint', "23514"),
        ),
    ),
    Entry(
        "exclusion",
        ("23P01",),
        "Existing rows conflict under the new exclusion constraint. Clean them up, then deploy again.",
        (
            (r'could not create exclusion constraint ".+"', "23P01"),
            (r'conflicting key value violates exclusion constraint ".+"', "23P01"),
        ),
    ),
    Entry(
        "cast",
        ("22P02", "42804", "22001", "22003", "22007", "22008", "42846"),
        "A value, or a column's type, cannot be converted automatically: add a USING clause. " + _EDIT,
        (
            (r"invalid input syntax for type (?:date|time|timestamp|interval)\b.*", "22007"),
            (r"invalid input syntax for type (?!date|time|timestamp|interval).+", "22P02"),
            (r"invalid input value for enum .+", "22P02"),
            (
                r'(?:default|generation expression)?(?: for )?column ".+" cannot be cast automatically to type .+',
                "42804",
            ),
            (r'column ".+" is of type .+ but expression is of type .+', "42804"),
            (r'foreign key constraint ".+" cannot be implemented', "42804"),
            (r"value too long for type .+", "22001"),
            (r"(?:smallint|integer|bigint) out of range", "22003"),
            (r"value .+ is out of range for type .+", "22003"),
            (r"numeric field overflow", "22003"),
            (r"(?:date/time field value|date|timestamp|interval) out of range.*", "22008"),
            (r"cannot cast type .+ to .+", "42846"),
        ),
        prose=(
            (r"The value provided for column .+ is too long\.", "22001"),
            (r"Value out of range error\. .*", "22003"),
            (r"Invalid input provided to query: .*", "22P02"),
            (r".*\bunknown variant `InvalidInputValue`.*", "22P02"),
        ),
    ),
    Entry(
        "bad_value",
        ("22", "21000"),
        "The script cannot work with a value that it meets. Correct the data or the script, then deploy again.",
        (
            (r"division by zero", "22012"),
            (r"query string argument of EXECUTE is null", "22004"),
            (r"null value not allowed .*", "22004"),
            (r"invalid regular expression: .+", "2201B"),
            (r"invalid byte sequence for encoding .+", "22021"),
            (r"more than one row returned by a subquery used as an expression", "21000"),
            (r"ON CONFLICT DO UPDATE command cannot affect row a second time", "21000"),
        ),
    ),
    Entry(
        "deadlock",
        ("40P01",),
        "The script and another session blocked each other. " + _AGAIN,
        (("deadlock detected", "40P01"),),
        transient=True,
    ),
    Entry(
        "write_conflict",
        ("40001", "40", "72"),
        "Another session changed the same rows. " + _AGAIN,
        ((r"could not serialize access due to .+", "40001"),),
        transient=True,
        prose=(("Transaction write conflict", None),),  # a deadlock too
    ),
    Entry(
        "lock_timeout",
        ("55P03",),
        "Another session held a lock for too long. " + _AGAIN,
        (
            ("canceling statement due to lock timeout", "55P03"),
            (r'could not obtain lock on relation ".+"', "55P03"),
        ),
        transient=True,
    ),
    Entry(
        "statement_timeout",
        ("57014", "57"),
        "The statement was cancelled, or exceeded statement_timeout. " + _AGAIN,
        (
            ("canceling statement due to statement timeout", "57014"),
            ("canceling statement due to user request", "57014"),
        ),
        transient=True,
    ),
    Entry(
        "privileges",
        ("42501", "0L", "0P"),
        "The role lacks a privilege: grant it, or deploy as the owner.",
        (
            (r"permission denied (?:for|to) .+", "42501"),
            (r"must be (?:owner of|superuser|member of|able to) .+", "42501"),
        ),
    ),
    Entry(
        "unsafe_enum_value",
        ("55P04",),
        "A new enum value can be used only after the migration that adds it: split it in two. " + _EDIT,
        ((r'unsafe use of new value ".+" of enum type .+', "55P04"),),
    ),
    Entry(
        "missing_extension",
        ("58P01",),
        "The server lacks an extension: install it, or do without.",
        (
            (r'could not open extension control file ".+".*', "58P01"),
            (r'extension ".+" is not available', "0A000"),
        ),
    ),
    Entry(
        "missing_object",
        ("42P01", "42703", "42883", "42704", "3F000", "42P02", "57P04", "3D", "26", "34"),
        "An object that the script needs is not there. This never means that the script was applied.",
        (
            (r'(?:relation|table|view|materialized view|sequence) ".+" does not exist', "42P01"),
            (r'index ".+" does not exist', "42704"),
            (r'column ".+" of relation ".+" does not exist', "42703"),
            (r"column .+ does not exist", "42703"),
            (r"(?:function|operator) .+ does not exist", "42883"),
            (r"operator does not exist: .+", "42883"),
            (r'constraint ".+" of relation ".+" does not exist', "42704"),
            (r'(?:type|role|extension|collation|publication|access method) ".+" does not exist', "42704"),
            (r'(?:trigger|policy|rule) ".+" for (?:table|relation) ".+" does not exist', "42704"),
            (r'(?:data type .+ has no default operator class|operator class ".+" does not exist) .+', "42704"),
            (r'schema ".+" does not exist', "3F000"),
            (r"no schema has been selected to create in", "3F000"),
        ),
        prose=(
            (r"No such table: .*", "42P01"),
            (r"Error accessing result set, column not found: .*", "42703"),
            (r"Database does not exist: .*", "3D000"),
        ),
    ),
    Entry(
        "in_failed_transaction",
        ("25P02",),
        "An earlier statement of the transaction had failed: that first error is in the server's log.",
        (("current transaction is aborted, commands ignored until end of transaction block", "25P02"),),
    ),
    Entry(
        "syntax",
        ("42601", "42", "03"),
        "PostgreSQL does not understand the script. " + _EDIT,
        (
            (r'syntax error at or near ".+"', "42601"),
            (r"syntax error at end of input", "42601"),
            (r"unterminated (?:dollar-)?quoted (?:string|identifier) at or near .+", "42601"),
        ),
    ),
    Entry(
        "dependent_objects",
        ("2BP01", "2B"),
        "Other objects depend on what the script drops: drop or change them first. " + _EDIT,
        (
            (r"cannot drop .+ because other objects depend on it", "2BP01"),
            (r"cannot drop .+ because .+ (?:requires|depends on) it", "2BP01"),
            (r'role ".+" cannot be dropped because some objects depend on it', "2BP01"),
            (r"cannot alter type of a column used .+", "0A000"),
        ),
    ),
    Entry(
        "invalid_definition",
        ("42P16", "42P17", "42P13", "42830", "42809", "42P10", "42611", "428C9"),
        "PostgreSQL does not allow such a definition. " + _EDIT,
        (
            (r'multiple primary keys for table ".+" are not allowed', "42P16"),
            (r"cannot drop columns from view", "42P16"),
            (r'cannot change (?:name|data type) of view column ".+" .+', "42P16"),
            (r"functions in index (?:expression|predicate) must be marked IMMUTABLE", "42P17"),
            (r"generation expression is not immutable", "42P17"),
            (r"cannot change return type of existing function", "42P13"),
            (r"return type mismatch in function declared to return .+", "42P13"),
            (r'there is no (?:unique constraint matching given|primary key for referenced).* table ".+".*', "42830"),
            (r"number of referencing and referenced columns for foreign key disagree", "42830"),
            (r'".+" is not a .+', "42809"),
            (r'ALTER action .+ cannot be performed on relation ".+"', "42809"),
            (
                r"there is no unique or exclusion constraint matching the ON CONFLICT specification",
                "42P10",
            ),
        ),
    ),
    Entry(
        "in_use",
        ("55006",),
        "An object that the script works on is still in use, perhaps by the script's own session. " + _EDIT,
        (
            (r"cannot .+ because it is being used by active queries in this session", "55006"),
            (r"cannot .+ because it has pending trigger events", "55006"),
        ),
    ),
    Entry(
        "limit_exceeded",
        ("54", "53400"),
        "The script exceeds a limit of PostgreSQL, built in or configured. " + _EDIT,
        (
            (r"index row (?:size|requires) .+", "54000"),
            (r"tables can have at most [0-9]+ columns", "54011"),
            (r"requested length too large", "54000"),
            (r"temporary file size exceeds .+", "53400"),
        ),
    ),
    Entry(
        "out_of_memory",
        ("53200", "HV001"),
        "The server had no memory left for the script or its locks: give it more, then deploy again.",
        (
            (r"out of memory", "53200"),
            (r"out of shared memory", "53200"),
        ),
    ),
    Entry(
        "disk_full",
        ("53100",),
        "The server's disk is full: free space, then deploy again.",
        ((r"could not (?:extend|write) .+: No space left on device", "53100"),),
    ),
    Entry(
        "read_only",
        ("25006",),
        "The session was read-only: a standby, or a database set to read-only.",
        ((r"cannot execute .+ in a read-only transaction", "25006"),),
    ),
    Entry(
        "too_many_connections",
        ("53300",),
        "The server had no connection left. " + _AGAIN,
        (
            ("sorry, too many clients already", "53300"),
            (r"remaining connection slots are reserved for .+", "53300"),
            (r'too many connections for (?:role|database) ".+"', "53300"),
        ),
        transient=True,
        prose=((r"Too many DB connections opened.*", "53300"),),
    ),
    Entry(
        "connection_lost",
        ("57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "08", "40003"),
        "The connection was lost: the script may have gone on by itself. " + _AGAIN,
        (
            ("terminating connection due to administrator command", "57P01"),
            ("terminating connection because of crash of another server process", "57P02"),
            ("the database system is (?:starting up|shutting down|in recovery mode)", "57P03"),
            ("terminating connection due to idle-session timeout", "57P05"),
            ("terminating connection due to idle-in-transaction timeout", "25P03"),
            ("terminating connection due to transaction timeout", "25P04"),
            ("server closed the connection unexpectedly", "08006"),
        ),
        transient=True,
        prose=(
            (r"Connection terminated(?: unexpectedly| due to connection timeout)?", None),
            (r"(?:unexpected EOF|unexpected end of file|server closed the connection unexpectedly)\b.*", None),
            (r"Server has closed the connection\.", None),
            (r"Database not reachable: .*", None),
        ),
    ),
    Entry(
        "raised",
        ("P0001", "P0", "09", "0Z", "10", "20", "24", "2F", "38", "39", "02", "0F"),
        "The script itself, or a function that it calls, raised this error. " + _EDIT,
    ),
    Entry(
        "transaction_state",
        ("25", "0B", "2D", "3B"),
        "The script begins or ends a transaction, or sets it, where PostgreSQL does not allow that. " + _EDIT,
    ),
    Entry("wrong_state", ("55",), "An object or a setting is not in the state that the statement needs. " + _EDIT),
    Entry(
        "login_refused",
        ("28",),
        "The server refused the login: correct the URL, or the role's rights.",
        prose=((r"Authentication failed for user .*", "28P01"),),
    ),
    Entry("resources", ("53",), "The server lacks a resource: see its log, and give it more, then deploy again."),
    Entry(
        "server_error",
        ("58", "XX", "F0"),
        "The server itself failed, or its files are damaged: see its log before anything is deployed.",
    ),
    Entry("foreign_data", ("HV",), "A foreign server, or its wrapper, refused. " + _EDIT),
    Entry("not_supported", ("0A000",), "PostgreSQL does not support a statement as it is written. " + _EDIT),
    Entry("other_error", (), "PostgreSQL, or an extension, refused with a code of its own. " + _EDIT),
    Entry("unknown", (), "The ledger does not tell why: see the server's log."),
)
