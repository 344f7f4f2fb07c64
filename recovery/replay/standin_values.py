"""What the functions of a stand-in return: values of the type, and where it is known of the length, of the real ones.

A history may fill a column with them, cut them, or loop over their bytes, so a value of another length would end its
replay. Which value it is does not matter: rows are never compared with production's.
"""

_UUID = "gen_random_uuid()"
#: As many bytes as the first argument says, at most what a column could hold for an id.
_BYTES = "substring(decode(repeat(md5(random()::text), least($1, 65536) / 16 + 1), 'hex') FROM 1 FOR greatest($1, 0))"
_DIGEST_BYTES = (
    "CASE lower($%s) WHEN 'md5' THEN 16 WHEN 'sha1' THEN 20 WHEN 'sha224' THEN 28 WHEN 'sha256' THEN 32"
    " WHEN 'sha384' THEN 48 ELSE 64 END"
)
_SALT = (
    "CASE lower($1) WHEN 'bf' THEN '$2a$06$' || substr(md5(random()::text), 1, 22)"
    " WHEN 'md5' THEN '$1$' || substr(md5(random()::text), 1, 8)"
    " WHEN 'xdes' THEN '_J9..' || substr(md5(random()::text), 1, 4) ELSE substr(md5(random()::text), 1, 2) END"
)
_CRYPT = (
    "CASE WHEN $2 LIKE '$2%' THEN substr($2, 1, 29) || substr(md5($1 || substr($2, 1, 29)), 1, 31)"
    " WHEN $2 LIKE '$1$%' THEN substr($2, 1, 11) || '$' || substr(md5($1 || substr($2, 1, 11)), 1, 22)"
    " WHEN $2 LIKE '\\_%' THEN substr($2, 1, 9) || substr(md5($1 || substr($2, 1, 9)), 1, 11)"
    " ELSE substr($2, 1, 2) || substr(md5($1 || substr($2, 1, 2)), 1, 11) END"
)


def _hashed(algorithm: int) -> str:
    """A hash of the first argument as long as that of the algorithm, which is the argument of this number."""
    size = _DIGEST_BYTES % algorithm
    return f"substring(decode(repeat(md5($1::text), 4), 'hex') FROM 1 FOR {size})"


def _named(version: int) -> str:
    """A UUID made of a namespace and a name: always the same for the same two."""
    text = "md5($1::text || $2)"
    return f"(substr({text}, 1, 12) || '{version}' || substr({text}, 14, 3) || 'a' || substr({text}, 18))::uuid"


#: For each extension the functions that are known: arguments, type of the result, and an expression for the value.
KNOWN: dict[str, dict[str, tuple[tuple[tuple[str, ...], ...], str, str]]] = {
    "uuid-ossp": {
        **{f"uuid_generate_v{each}": (((),), "uuid", _UUID) for each in ("1", "1mc", "4")},
        **{f"uuid_generate_v{each}": ((("namespace uuid", "name text"),), "uuid", _named(each)) for each in (3, 5)},
        "uuid_nil": (((),), "uuid", "'00000000-0000-0000-0000-000000000000'::uuid"),
        "uuid_ns_dns": (((),), "uuid", "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid"),
        "uuid_ns_url": (((),), "uuid", "'6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid"),
        "uuid_ns_oid": (((),), "uuid", "'6ba7b812-9dad-11d1-80b4-00c04fd430c8'::uuid"),
        "uuid_ns_x500": (((),), "uuid", "'6ba7b814-9dad-11d1-80b4-00c04fd430c8'::uuid"),
    },
    "pgcrypto": {
        "gen_random_bytes": ((("integer",),), "bytea", _BYTES),
        "gen_random_uuid": (((),), "uuid", "pg_catalog.gen_random_uuid()"),
        "digest": ((("text", "text"), ("bytea", "text")), "bytea", _hashed(2)),
        "hmac": ((("text", "text", "text"), ("bytea", "bytea", "text")), "bytea", _hashed(3)),
        "gen_salt": ((("text",), ("text", "integer")), "text", _SALT),
        "crypt": ((("text", "text"),), "text", _CRYPT),
        # What is encrypted is what it was, so that it can be decrypted.
        "encrypt": ((("bytea", "bytea", "text"),), "bytea", "$1"),
        "decrypt": ((("bytea", "bytea", "text"),), "bytea", "$1"),
        "encrypt_iv": ((("bytea", "bytea", "bytea", "text"),), "bytea", "$1"),
        "decrypt_iv": ((("bytea", "bytea", "bytea", "text"),), "bytea", "$1"),
        "pgp_sym_encrypt": ((("text", "text"), ("text", "text", "text")), "bytea", "convert_to($1, 'UTF8')"),
        "pgp_pub_encrypt": ((("text", "bytea"), ("text", "bytea", "text")), "bytea", "convert_to($1, 'UTF8')"),
        "pgp_sym_encrypt_bytea": ((("bytea", "text"), ("bytea", "text", "text")), "bytea", "$1"),
        "pgp_pub_encrypt_bytea": ((("bytea", "bytea"), ("bytea", "bytea", "text")), "bytea", "$1"),
        "pgp_sym_decrypt": ((("bytea", "text"), ("bytea", "text", "text")), "text", "convert_from($1, 'UTF8')"),
        "pgp_pub_decrypt": (
            (("bytea", "bytea"), ("bytea", "bytea", "text"), ("bytea", "bytea", "text", "text")),
            "text",
            "convert_from($1, 'UTF8')",
        ),
        "pgp_sym_decrypt_bytea": ((("bytea", "text"), ("bytea", "text", "text")), "bytea", "$1"),
        "pgp_pub_decrypt_bytea": ((("bytea", "bytea"), ("bytea", "bytea", "text")), "bytea", "$1"),
        "armor": ((("bytea",),), "text", "encode($1, 'base64')"),
        "dearmor": ((("text",),), "bytea", "decode($1, 'base64')"),
    },
}
#: Values by type: such that NOT NULL and unique columns accept them.
_OF_A_TYPE = {
    "uuid": _UUID,
    "text": "md5(random()::text)",
    "character varying": "md5(random()::text)",
    "bytea": "decode(md5(random()::text), 'hex')",
    "boolean": "false",
    "smallint": "0",
    "integer": "0",
    "bigint": "0",
    "numeric": "0",
    "real": "0",
    "double precision": "0",
    "json": "'{}'",
    "jsonb": "'{}'",
    "date": "current_date",
    "timestamp without time zone": "localtimestamp",
    "timestamp with time zone": "now()",
    "interval": "'0'",
    "inet": "'127.0.0.1'",
}


def body(name: str, result: str, *, many: bool, out: bool, first: str | None) -> str:
    """The body of a function in PL/pgSQL.

    Args:
        name: its name; one that an extension is known by gives values as that does.
        result: its type, as PostgreSQL writes it.
        many: it gives a set of rows.
        out: it gives its value by output parameters.
        first: the type of its first argument; None without arguments.
    """
    if many or out or result == "void":
        return "BEGIN RETURN; END"
    if result == "trigger":
        return "BEGIN RETURN coalesce(NEW, OLD); END"
    for known in KNOWN.values():
        if name in known and known[name][1] == result:
            return f"BEGIN RETURN {known[name][2]}; END"
    if first == result:
        return "BEGIN RETURN $1; END"  # such as unaccent(text), which leaves most texts as they are
    value = "'{}'" if result.endswith("[]") else _OF_A_TYPE.get(result, "NULL")
    return f"BEGIN RETURN {value}; END"


def known_script(extension: str) -> str:
    """SQL that makes the functions of an extension that production lacks; empty if none of it is known."""
    return "\n".join(
        f"CREATE FUNCTION {name}({', '.join(arguments)}) RETURNS {result} LANGUAGE plpgsql"
        f" AS $standin$BEGIN RETURN {value}; END$standin$;"
        for name, (forms, result, value) in KNOWN.get(extension, {}).items()
        for arguments in forms
    )
