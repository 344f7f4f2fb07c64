"""The causes of failed migrations, as a table: what PostgreSQL says, what it means, what to do."""

from typing import NamedTuple


class Entry(NamedTuple):
    """One kind of cause.

    Attributes:
        kind: one word.
        codes: SQLSTATEs, or two characters for a whole class.
        advice: what to do, for people.
        sentences: PostgreSQL's messages as patterns, each with the code that it stands for.
        transient: another try can succeed with nothing changed.
    """

    kind: str
    codes: tuple[str, ...]
    advice: str
    sentences: tuple[tuple[str, str], ...] = ()
    transient: bool = False


_EDIT = "Once this attempt is resolved, correct the script, and deploy again."
_AGAIN = "Once it is proven absent, deploying again can succeed with nothing changed."

ENTRIES = (
    Entry(
        "object_exists",
        ("42P07", "42701", "42710", "42P06", "42723"),
        "Something of that name was there already: from an earlier attempt, or made by hand.",
        (
            (r'relation ".+" already exists', "42P07"),
            (r'column ".+" of relation ".+" already exists', "42701"),
            (r'schema ".+" already exists', "42P06"),
            (r'(?:type|role|extension|enum label|policy|trigger|constraint) ".+" .*already exists', "42710"),
            (r"function .+ already exists with same argument types", "42723"),
        ),
    ),
    Entry("schema_not_empty", (), "The database has tables but no ledger: baseline it, as Prisma says."),
    Entry(
        "not_in_transaction",
        ("25001",),
        "That statement must be alone in its migration, outside a transaction. " + _EDIT,
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
    ),
    Entry(
        "nulls",
        ("23502",),
        "Existing rows hold no value there. Fill them, or give a default, then deploy again.",
        (
            (r'column ".+" of relation ".+" contains null values', "23502"),
            (r'null value in column ".+" .*violates not-null constraint', "23502"),
        ),
    ),
    Entry(
        "foreign_key",
        ("23503",),
        "Existing rows refer to rows that are not there. Clean them up, then deploy again.",
        ((r'(?:insert or )?update (?:or delete )?on table ".+" violates foreign key constraint ".+"', "23503"),),
    ),
    Entry(
        "check",
        ("23514",),
        "Existing rows break the new rule. Clean them up, then deploy again.",
        (
            (r'check constraint ".+" (?:of relation ".+" )?is violated by some row', "23514"),
            (r'new row for relation ".+" violates check constraint ".+"', "23514"),
        ),
    ),
    Entry(
        "cast",
        ("22P02", "42804", "22001", "22003", "22007", "42846"),
        "A value, or a column's type, cannot be converted by itself: give a USING. " + _EDIT,
        (
            (r"invalid input syntax for type .+", "22P02"),
            (r"invalid input value for enum .+", "22P02"),
            (r'(?:default for )?column ".+" cannot be cast automatically to type .+', "42804"),
            (r"value too long for type .+", "22001"),
        ),
    ),
    Entry(
        "deadlock",
        ("40P01",),
        "Another session was in the way. " + _AGAIN,
        (("deadlock detected", "40P01"),),
        transient=True,
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
        ("57014",),
        "It was cancelled, or ran into statement_timeout. " + _AGAIN,
        (
            ("canceling statement due to statement timeout", "57014"),
            ("canceling statement due to user request", "57014"),
        ),
        transient=True,
    ),
    Entry(
        "privileges",
        ("42501",),
        "The role may not do this: grant it, or deploy as the owner.",
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
        ("42P01", "42703", "42883", "42704", "3F000"),
        "Something that the script needs is not there. It never means that the script was applied.",
        (
            (r'(?:relation|table|view|index|sequence) ".+" does not exist', "42P01"),
            (r'column ".+" of relation ".+" does not exist', "42703"),
            (r"column .+ does not exist", "42703"),
            (r"(?:function|operator) .+ does not exist", "42883"),
            (r"operator does not exist: .+", "42883"),
            (r'constraint ".+" of relation ".+" does not exist', "42704"),
            (r'(?:type|role|extension) ".+" does not exist', "42704"),
            (r'schema ".+" does not exist', "3F000"),
        ),
    ),
    Entry(
        "in_failed_transaction",
        ("25P02",),
        "The script opened a transaction that had failed before: its first error is in the server's log.",
        (("current transaction is aborted, commands ignored until end of transaction block", "25P02"),),
    ),
    Entry(
        "syntax",
        ("42601",),
        "PostgreSQL does not understand the script. " + _EDIT,
        (
            (r'syntax error at or near ".+"', "42601"),
            (r"syntax error at end of input", "42601"),
            (r"unterminated (?:dollar-)?quoted (?:string|identifier) at or near .+", "42601"),
        ),
    ),
    Entry(
        "dependent_objects",
        ("2BP01",),
        "Other objects depend on what the script drops: drop or change them first. " + _EDIT,
        (
            (r"cannot drop .+ because other objects depend on it", "2BP01"),
            (r"cannot drop .+ because .+ (?:requires|depends on) it", "2BP01"),
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
    ),
    Entry(
        "connection_lost",
        ("57P01", "57P02", "57P03", "08"),
        "The connection was lost: the script may have gone on by itself. " + _AGAIN,
        (
            ("terminating connection due to administrator command", "57P01"),
            ("terminating connection because of crash of another server process", "57P02"),
            ("the database system is (?:starting up|shutting down|in recovery mode)", "57P03"),
        ),
        transient=True,
    ),
    Entry("not_supported", ("0A000",), "PostgreSQL cannot do that as it is written. " + _EDIT),
    Entry("unknown", (), "The ledger does not tell why: see the server's log."),
)
