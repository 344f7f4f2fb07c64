"""Every column of PostgreSQL's own catalogs is shown by a snapshot, or can't matter for a stated reason (RULES E8)."""

from typing import Any

import psycopg
import pytest

from recovery.postgres import catalog
from states.comparison import taken_apart
from tests.replay.test_catalog_properties import CASES

Connection = psycopg.Connection[Any]

AGGREGATE = "aggregate: aggregate"
#: For columns of a catalog, the property that shows them: the kind of object, and the property without its name.
READ: dict[str, dict[str, str]] = {
    "pg_aggregate": {
        "aggfnoid": "aggregate: exists",
        "aggkind aggnumdirectargs aggtransfn aggfinalfn aggcombinefn aggserialfn aggdeserialfn aggmtransfn": AGGREGATE,
        "aggminvtransfn aggmfinalfn aggfinalextra aggmfinalextra aggfinalmodify aggmfinalmodify": AGGREGATE,
        "aggsortop aggtranstype aggtransspace aggmtranstype aggmtransspace agginitval aggminitval": AGGREGATE,
    },
    "pg_am": {"amname": "table: access method"},
    "pg_attrdef": {"adrelid adnum adbin": "table: column default"},
    "pg_attribute": {
        "attrelid attname attisdropped": "table: column",
        "atttypid atttypmod": "table: column type",
        "attstorage": "table: column storage",
        "attcompression": "table: column compression",
        "attnotnull": "table: column nullability",
        "attidentity": "table: column identity",
        "attgenerated": "table: column generated",
        "attislocal attinhcount": "table: column inheritance",
        "attcollation": "table: column collation",
        "attstattarget": "table: column statistics",
        "attacl": "table: column privileges",
        "attoptions": "table: column options",
    },
    "pg_cast": {"castsource casttarget castfunc castcontext castmethod": "cast: exists"},
    "pg_class": {
        "relname relnamespace relkind": "table: exists",
        "reloftype": "table: of type",
        "relam": "table: access method",
        "relpersistence": "table: persistence",
        "relrowsecurity relforcerowsecurity": "table: row security",
        "relispopulated": "materialized view: populated",
        "relreplident": "table: replica identity",
        "relacl": "table: privileges",
        "reloptions": "table: options",
        "reltoastrelid": "table: toast options",
        "relispartition": "index: part of",
        "relpartbound": "table: partition bound",
    },
    "pg_collation": {
        "collname collnamespace": "collation: exists",
        "collprovider collisdeterministic collcollate collctype colllocale collicurules": "collation: collation",
    },
    "pg_constraint": {
        "conname contype conrelid condeferrable condeferred conenforced convalidated": "table: constraint",
        "confrelid confupdtype confdeltype confmatchtype connoinherit conperiod": "table: constraint",
        "conkey confkey confdelsetcols conexclop conbin": "table: constraint",
        "contypid": "type: constraint",
        "conislocal coninhcount": "table: constraint inheritance",
    },
    "pg_conversion": {"conname connamespace conforencoding contoencoding conproc condefault": "conversion: exists"},
    "pg_description": {"objoid classoid description": "table: comment", "objsubid": "table: column comment"},
    "pg_enum": {"enumtypid enumsortorder enumlabel": "type: labels"},
    "pg_event_trigger": {"evtname evtevent evtfoid evtenabled evttags": "event trigger: exists"},
    "pg_extension": {
        "extname": "extension: exists",
        "extnamespace": "extension: schema",
        "extversion": "extension: version",
    },
    "pg_index": {
        "indexrelid": "index: exists",
        "indrelid": "index: table",
        "indisunique indnullsnotdistinct": "index: unique",
        "indisclustered": "index: clustered",
        "indisvalid indisready indislive": "index: valid",
        "indisreplident": "table: replica identity",
        "indkey indcollation indclass indoption indexprs": "index: columns",
        "indnatts indnkeyatts": "index: include",
        "indpred": "index: predicate",
        "indisprimary indisexclusion indimmediate": "table: constraint",
    },
    "pg_inherits": {"inhrelid inhparent inhseqno inhdetachpending": "table: inherits"},
    "pg_language": {"lanname": "function: language"},
    "pg_namespace": {"nspname": "schema: exists", "nspacl": "schema: privileges"},
    "pg_opclass": {"opcname opcnamespace opcintype opcdefault opcmethod": "index: columns"},
    "pg_operator": {
        "oprname oprnamespace oprleft oprright oprkind": "operator: exists",
        "oprcanmerge oprcanhash oprresult oprcom oprnegate oprcode oprrest oprjoin": "operator: operator",
    },
    "pg_partitioned_table": {
        "partrelid partstrat partnatts partattrs partclass partcollation partexprs": "table: partition key",
        "partdefid": "table: partition bound",
    },
    "pg_policy": {"polname polrelid polcmd polpermissive polroles polqual polwithcheck": "table: policy"},
    "pg_proc": {
        "proname pronamespace prokind proargtypes": "function: exists",
        "proargnames proargmodes proallargtypes proargdefaults provariadic": "function: arguments",
        "pronargs pronargdefaults": "function: arguments",
        "prolang probin": "function: language",
        "procost prorows": "function: cost",
        "prosupport": "function: support",
        "prosecdef": "function: security",
        "proleakproof proisstrict provolatile proparallel": "function: volatility",
        "proretset prorettype": "function: result",
        "protrftypes": "function: transforms",
        "prosrc prosqlbody": "function: body",
        "proconfig": "function: settings",
        "proacl": "function: privileges",
    },
    "pg_publication": {
        "pubname": "publication: exists",
        "puballtables": "publication: tables",
        "pubinsert pubupdate pubdelete pubtruncate": "publication: publishes",
        "pubviaroot": "publication: partitions",
        "pubgencols": "publication: generated columns",
    },
    "pg_publication_namespace": {"pnpubid pnnspid": "publication: schema"},
    "pg_publication_rel": {"prpubid prrelid prqual prattrs": "publication: table"},
    "pg_range": {"rngtypid rngsubtype rngmultitypid rngcollation rngsubopc rngcanonical rngsubdiff": "type: subtype"},
    "pg_rewrite": {
        "rulename ev_class ev_type ev_enabled is_instead ev_qual": "table: rule",
        "ev_action": "view: definition",
    },
    "pg_sequence": {
        "seqrelid": "sequence: exists",
        "seqtypid": "sequence: type",
        "seqstart": "sequence: start",
        "seqincrement": "sequence: increment",
        "seqmax": "sequence: maximum",
        "seqmin": "sequence: minimum",
        "seqcache": "sequence: cache",
        "seqcycle": "sequence: cycle",
    },
    "pg_statistic_ext": {
        "stxrelid stxname stxnamespace stxkeys stxkind stxexprs": "statistics: exists",
        "stxstattarget": "statistics: target",
    },
    "pg_transform": {"trftype": "function: transforms"},
    "pg_trigger": {
        "tgrelid tgname tgfoid tgtype tgconstrrelid tgdeferrable tginitdeferred": "table: trigger",
        "tgnargs tgattr tgargs tgqual tgoldtable tgnewtable": "table: trigger",
        "tgenabled": "table: trigger enabled",
        "tgconstraint": "table: constraint triggers",
    },
    "pg_ts_config": {
        "cfgname cfgnamespace": "text search configuration: exists",
        "cfgparser": "text search configuration: parser",
    },
    "pg_ts_config_map": {"mapcfg maptokentype mapseqno mapdict": "text search configuration: mappings"},
    "pg_ts_dict": {"dictname dictnamespace dicttemplate dictinitoption": "text search dictionary: exists"},
    "pg_type": {
        "typname typnamespace": "type: exists",
        "typtype typisdefined": "type: kind",
        "typrelid": "type: attributes",
        "typnotnull": "type: nullability",
        "typbasetype typtypmod": "type: base type",
        "typcollation": "type: collation",
        "typdefaultbin typdefault": "type: default",
        "typacl": "type: privileges",
    },
}

OWNER = "Owners never count: platforms set them on everything (E8)."
DERIVED = "PostgreSQL derives it from what is shown."
STORED = "Where and how the server stores it; no statement of a migration decides it."
LATER = "It changes with the rows, or by VACUUM and ANALYZE."
SUPERUSERS = (
    "Only a superuser may make one, and scripts are not replayed as one: the replay ends there, so that nothing is"
    " compared. An extension's is not a migration's."
)
SERVERS = "It is the whole server's. A script that changes it is not executed in the scratch server (E15)."
FOREIGN = "A script that reaches a foreign server is not executed (E15), so that no step of a replay has one."
GRANTS = "A GRANT on one changes no snapshot, so that its statement is open (E4)."
TYPES_IN_C = "It is of types written in C. " + SUPERUSERS

#: For columns of a catalog, the reason why no snapshot needs them; `*` for all of its columns.
UNREAD: dict[str, dict[str, str]] = {
    "*": {"oid": "Each server numbers its objects by itself."},
    "pg_am": {"amhandler amtype": SUPERUSERS},
    "pg_amop": {"*": SUPERUSERS},
    "pg_amproc": {"*": SUPERUSERS},
    "pg_attribute": {
        "attlen attbyval attalign": DERIVED,
        "attnum": (
            "The order of a table's columns is no difference: Prisma names each column, and a database whose columns"
            " were added one by one has another order. What reads rows by position writes rows, and is open (E5)."
            " Attributes of a composite type are shown in their order."
        ),
        "attndims": "PostgreSQL ignores how many dimensions an array was declared with.",
        "atthasdef": DERIVED,
        "atthasmissing attmissingval": "Read by itself (`read_filled`), as a proof that rows were filled (E5).",
        "attfdwoptions": FOREIGN,
    },
    "pg_auth_members": {"*": SERVERS},
    "pg_authid": {"*": SERVERS},
    "pg_class": {
        "reltype relhasindex relnatts relchecks relhasrules relhastriggers relhassubclass": DERIVED,
        "relowner": OWNER,
        "relfilenode relrewrite relfrozenxid relminmxid relisshared": STORED,
        "reltablespace": (
            "A scratch server has no tablespaces (E15), and `default_tablespace` puts everything into one; what a"
            " table means is the same in each."
        ),
        "relpages reltuples relallvisible relallfrozen": LATER,
    },
    "pg_collation": {
        "collowner": OWNER,
        "collencoding": "A database has one encoding, and uses no collation of another.",
        "collversion": "The version of the server's library.",
    },
    "pg_constraint": {
        "connamespace conppeqop conpfeqop conffeqop": DERIVED,
        "conindid": "PostgreSQL chooses it among indexes on the same columns.",
        "conparentid": "Which constraint of the parent it is a copy of; what it demands is shown.",
    },
    "pg_conversion": {"conowner": OWNER},
    "pg_database": {"*": SERVERS},
    "pg_db_role_setting": {"*": SERVERS},
    "pg_default_acl": {"*": "Default privileges never count: platforms set them on everything (E8)."},
    "pg_depend": {"*": "What depends on what; `owned by` and the members of extensions are read from it."},
    "pg_event_trigger": {"evtowner": OWNER},
    "pg_extension": {
        "extowner": OWNER,
        "extrelocatable extconfig extcondition": "An extension's own script decides it.",
    },
    "pg_foreign_data_wrapper": {"*": FOREIGN},
    "pg_foreign_server": {"*": FOREIGN},
    "pg_foreign_table": {"*": FOREIGN},
    "pg_index": {"indcheckxmin": STORED},
    "pg_init_privs": {"*": "What an extension's own script granted."},
    "pg_language": {
        "lanowner": OWNER,
        "lanispl lanpltrusted lanplcallfoid laninline lanvalidator": SUPERUSERS,
        "lanacl": GRANTS,
    },
    "pg_largeobject": {"*": "Large objects are rows, not schema: statements that write them are open (E5)."},
    "pg_largeobject_metadata": {"*": "Large objects are rows, not schema: statements that write them are open (E5)."},
    "pg_namespace": {"nspowner": OWNER},
    "pg_opclass": {"opcowner": OWNER, "opcfamily opckeytype": SUPERUSERS},
    "pg_operator": {"oprowner": OWNER},
    "pg_opfamily": {"*": SUPERUSERS},
    "pg_parameter_acl": {"*": SERVERS},
    "pg_proc": {"proowner": OWNER},
    "pg_publication": {"pubowner": OWNER},
    "pg_replication_origin": {"*": SERVERS},
    "pg_seclabel": {"*": "A scratch server has no provider of labels: the replay ends there."},
    "pg_shdepend": {"*": DERIVED},
    "pg_shdescription": {"*": SERVERS},
    "pg_shseclabel": {"*": SERVERS},
    "pg_statistic": {"*": LATER},
    "pg_statistic_ext": {"stxowner": OWNER},
    "pg_statistic_ext_data": {"*": LATER},
    "pg_subscription": {"*": "A script that subscribes is not executed (E15), and its connection string is a secret."},
    "pg_subscription_rel": {"*": "A script that subscribes is not executed (E15)."},
    "pg_tablespace": {"*": SERVERS},
    "pg_transform": {"trflang trffromsql trftosql": SUPERUSERS},
    "pg_trigger": {
        "tgparentid": "Which trigger of the parent it is a copy of; what it does is shown.",
        "tgisinternal tgconstrindid": DERIVED,
    },
    "pg_ts_config": {"cfgowner": OWNER},
    "pg_ts_dict": {"dictowner": OWNER},
    "pg_ts_parser": {"*": SUPERUSERS},
    "pg_ts_template": {"*": SUPERUSERS},
    "pg_type": {
        "typowner": OWNER,
        "typlen typbyval typarray typndims typcategory": DERIVED,
        "typispreferred typdelim typsubscript typelem typinput typoutput typreceive typsend": TYPES_IN_C,
        "typmodin typmodout typanalyze typalign typstorage": TYPES_IN_C,
    },
    "pg_user_mapping": {"*": FOREIGN + " Its options are secrets."},
}

COLUMNS = """
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
"""


def _listed(table: dict[str, dict[str, str]], columns: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """The columns that a table lists, where `*` stands for all."""
    found: list[tuple[str, str]] = []
    for name, told in table.items():
        words = [word for group in told for word in group.split()]
        found += [
            (each, column)
            for each, column in sorted(columns)
            if name in ("*", each) and (column in words or (name != "*" and "*" in words and column != "oid"))
        ]
        known = {column for each, column in columns if name in ("*", each)}
        assert set(words) - known <= {"*"}, f"{name} has no such columns"
    return found


def test_every_column_of_every_catalog_is_told_of(database: Connection) -> None:
    """Read, or not read for a reason: each column of the server's catalogs once. A new version's columns fail here."""
    columns = set(database.execute(COLUMNS).fetchall())
    told = [*_listed(READ, columns), *_listed(UNREAD, columns)]
    assert columns - set(told) == set()
    assert {each for each in told if told.count(each) > 1} == set()
    assert len(columns) > 500


KINDS = sorted({shown.partition(":")[0] for told in READ.values() for shown in told.values()}, key=len, reverse=True)


def _shown(obj: str, prop: str) -> str:
    """A property without its names: `table: column type`."""
    kind = next((kind for kind in KINDS if obj.startswith(f"{kind} ")), "")
    found = taken_apart(prop)
    detail = "privileges" if found.detail.startswith("privileges of ") else found.detail
    detail = detail.partition(" ")[0] if kind == "publication" and detail.startswith(("table ", "schema ")) else detail
    return f"{kind}: {f'{found.kind} {detail}'.strip()}"


@pytest.mark.parametrize("shown", sorted({shown for told in READ.values() for shown in told.values()}))
def test_a_column_that_is_read_is_shown_by_a_property_that_is_tried(shown: str) -> None:
    """The property that is said to show a column is one that a statement is seen to change."""
    known = {_shown(obj, prop) for _, _, obj, prop in CASES if not obj.startswith("procedure ")}
    assert shown in known


T = "CREATE TABLE u (a int, b text, c int)"
COLLATED = 'CREATE TABLE u (a text COLLATE "C", b text)'
TWO_KEYS = "CREATE TABLE u (a int NOT NULL UNIQUE, b int NOT NULL UNIQUE)"
TF = "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
EF = "CREATE FUNCTION ef() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"
ON_T = f"{T}; {TF}; CREATE"
KEYED = (
    "CREATE TABLE k (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE u (a int, b int, CONSTRAINT f FOREIGN KEY (a, b)"
)
F = "CREATE FUNCTION f(a int) RETURNS"
SQL = "LANGUAGE sql AS 'SELECT 1'"
OP = "CREATE FUNCTION f(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR @@@"
AGG = "CREATE AGGREGATE g(int) (SFUNC = int4pl, STYPE = int"
ENUM = "CREATE TYPE e AS ENUM ('x')"
TO_E = "CREATE FUNCTION f(int) RETURNS e LANGUAGE sql AS 'SELECT ''x''::e'"

#: An attribute, two scripts that differ in it alone, and the only properties in which their snapshots differ.
PAIRS: list[tuple[str, str, str, set[str]]] = [
    ("seqstart", "CREATE SEQUENCE q START 1000", "CREATE SEQUENCE q; ALTER SEQUENCE q START 1000", {"next value"}),
    ("seqstart", "CREATE SEQUENCE q", "CREATE SEQUENCE q; ALTER SEQUENCE q START 7", {"start"}),
    ("a used sequence", "CREATE SEQUENCE q; SELECT nextval('q')", "CREATE SEQUENCE q; SELECT setval('q', 77)", set()),
    ("a sequence's persistence", "CREATE UNLOGGED SEQUENCE q", "CREATE SEQUENCE q", {"persistence"}),
    (
        "an identity's sequence",
        "CREATE TABLE u (a int GENERATED ALWAYS AS IDENTITY (INCREMENT 2))",
        "CREATE TABLE u (a int GENERATED ALWAYS AS IDENTITY)",
        {"increment"},
    ),
    (
        "indcollation",
        f'{COLLATED}; CREATE INDEX i ON u (a COLLATE "default")',
        f"{COLLATED}; CREATE INDEX i ON u (a)",
        {"columns"},
    ),
    (
        "indcollation",
        f'{COLLATED}; CREATE INDEX i ON u (b COLLATE "C")',
        f"{COLLATED}; CREATE INDEX i ON u (b)",
        {"columns"},
    ),
    (
        "indcollation",
        f'{COLLATED}; CREATE INDEX i ON u (lower(a) COLLATE "default")',
        f"{COLLATED}; CREATE INDEX i ON u (lower(a))",
        {"columns"},
    ),
    ("indclass", f"{T}; CREATE INDEX i ON u (b bpchar_ops)", f"{T}; CREATE INDEX i ON u (b)", {"columns"}),
    (
        "indclass",
        "CREATE TABLE u (b varchar(9)); CREATE INDEX i ON u (b bpchar_ops)",
        "CREATE TABLE u (b varchar(9)); CREATE INDEX i ON u (b)",
        {"columns"},
    ),
    (
        "indclass",
        "CREATE DOMAIN d AS text; CREATE TABLE u (b d); CREATE INDEX i ON u (b text_pattern_ops)",
        "CREATE DOMAIN d AS text; CREATE TABLE u (b d); CREATE INDEX i ON u (b)",
        {"columns"},
    ),
    ("indoption", f"{T}; CREATE INDEX i ON u (a DESC)", f"{T}; CREATE INDEX i ON u (a)", {"columns"}),
    (
        "indnullsnotdistinct",
        f"{T}; CREATE UNIQUE INDEX i ON u (a) NULLS NOT DISTINCT",
        f"{T}; CREATE UNIQUE INDEX i ON u (a)",
        {"unique"},
    ),
    (
        "indnkeyatts",
        f"{T}; CREATE INDEX i ON u (a, c)",
        f"{T}; CREATE INDEX i ON u (a) INCLUDE (c)",
        {"columns", "include"},
    ),
    (
        "indpred",
        f"{T}; CREATE INDEX i ON u (a) WHERE c > 1",
        f"{T}; CREATE INDEX i ON u (a) WHERE c > 2",
        {"predicate"},
    ),
    (
        "reloptions",
        f"{T}; CREATE INDEX i ON u (a) WITH (fillfactor = 50)",
        f"{T}; CREATE INDEX i ON u (a)",
        {"options"},
    ),
    (
        "an index's attstattarget",
        f"{T}; CREATE INDEX i ON u ((a + 1)); ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 9",
        f"{T}; CREATE INDEX i ON u ((a + 1))",
        {"statistics"},
    ),
    (
        "indisreplident",
        f"{TWO_KEYS}; ALTER TABLE u REPLICA IDENTITY USING INDEX u_a_key",
        f"{TWO_KEYS}; ALTER TABLE u REPLICA IDENTITY USING INDEX u_b_key",
        {"replica identity"},
    ),
    (
        "rngmultitypid",
        "CREATE TYPE r AS RANGE (SUBTYPE = float8, MULTIRANGE_TYPE_NAME = rs)",
        "CREATE TYPE r AS RANGE (SUBTYPE = float8)",
        {"subtype"},
    ),
    (
        "rngsubopc",
        "CREATE TYPE r AS RANGE (SUBTYPE = text, SUBTYPE_OPCLASS = text_pattern_ops)",
        "CREATE TYPE r AS RANGE (SUBTYPE = text)",
        {"subtype"},
    ),
    ("prosupport", f"{F} int SUPPORT generate_series_int4_support {SQL}", f"{F} int {SQL}", {"support"}),
    (
        "prosupport",
        "CREATE FUNCTION f(a int) RETURNS SETOF int ROWS 7 " + SQL,
        "CREATE FUNCTION f(a int) RETURNS SETOF int " + SQL,
        {"cost"},
    ),
    (
        "proargdefaults",
        f"CREATE FUNCTION f(a int DEFAULT 1) RETURNS int {SQL}",
        f"CREATE FUNCTION f(a int DEFAULT 2) RETURNS int {SQL}",
        {"arguments"},
    ),
    (
        "attislocal",
        f"{T}; CREATE TABLE v (a int) INHERITS (u)",
        f"{T}; CREATE TABLE v () INHERITS (u)",
        {"column a inheritance"},
    ),
    (
        "conislocal",
        "CREATE TABLE u (a int, CONSTRAINT k CHECK (a > 0)); CREATE TABLE v (CONSTRAINT k CHECK (a > 0)) INHERITS (u)",
        "CREATE TABLE u (a int, CONSTRAINT k CHECK (a > 0)); CREATE TABLE v () INHERITS (u)",
        {"constraint k inheritance"},
    ),
    (
        "attgenerated",
        "CREATE TABLE u (a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL)",
        "CREATE TABLE u (a int, b int GENERATED ALWAYS AS (a + 1) STORED)",
        {"column b generated"},
    ),
    ("attnum", "CREATE TABLE u (a int, b int)", "CREATE TABLE u (b int, a int)", set()),
    ("attnum of a type", "CREATE TYPE o AS (a int, b int)", "CREATE TYPE o AS (b int, a int)", {"attributes"}),
    (
        "conname of NOT NULL",
        "CREATE TABLE u (a int CONSTRAINT x NOT NULL)",
        "CREATE TABLE u (a int CONSTRAINT y NOT NULL)",
        set(),
    ),
    (
        "connoinherit",
        "CREATE TABLE u (a int CONSTRAINT k CHECK (a > 0) NO INHERIT)",
        "CREATE TABLE u (a int CONSTRAINT k CHECK (a > 0))",
        {"constraint k"},
    ),
    (
        "conenforced",
        "CREATE TABLE u (a int CONSTRAINT k CHECK (a > 0) NOT ENFORCED)",
        "CREATE TABLE u (a int); ALTER TABLE u ADD CONSTRAINT k CHECK (a > 0) NOT VALID",
        {"constraint k"},
    ),
    (
        "confdelsetcols",
        f"{KEYED} REFERENCES k ON DELETE SET NULL (a))",
        f"{KEYED} REFERENCES k ON DELETE SET NULL)",
        {"constraint f"},
    ),
    ("confupdtype", f"{KEYED} REFERENCES k ON UPDATE CASCADE)", f"{KEYED} REFERENCES k)", {"constraint f"}),
    ("confmatchtype", f"{KEYED} REFERENCES k MATCH FULL)", f"{KEYED} REFERENCES k)", {"constraint f"}),
    (
        "condeferred",
        f"{KEYED} REFERENCES k DEFERRABLE INITIALLY DEFERRED)",
        f"{KEYED} REFERENCES k DEFERRABLE)",
        {"constraint f"},
    ),
    (
        "conperiod",
        "CREATE TABLE u (a int4range, b int4range, CONSTRAINT k UNIQUE (a, b WITHOUT OVERLAPS))",
        "CREATE TABLE u (a int4range, b int4range, CONSTRAINT k UNIQUE (a, b))",
        {"constraint k", "method"},
    ),
    (
        "tgdeferrable",
        f"{ON_T} CONSTRAINT TRIGGER g AFTER INSERT ON u DEFERRABLE FOR EACH ROW EXECUTE FUNCTION tf()",
        f"{ON_T} CONSTRAINT TRIGGER g AFTER INSERT ON u FOR EACH ROW EXECUTE FUNCTION tf()",
        {"trigger g"},
    ),
    (
        "tgnewtable",
        f"{ON_T} TRIGGER g AFTER INSERT ON u REFERENCING NEW TABLE AS x FOR EACH STATEMENT EXECUTE FUNCTION tf()",
        f"{ON_T} TRIGGER g AFTER INSERT ON u FOR EACH STATEMENT EXECUTE FUNCTION tf()",
        {"trigger g"},
    ),
    (
        "tgqual",
        f"{ON_T} TRIGGER g BEFORE INSERT ON u FOR EACH ROW WHEN (NEW.a > 0) EXECUTE FUNCTION tf()",
        f"{ON_T} TRIGGER g BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION tf()",
        {"trigger g"},
    ),
    (
        "tgargs",
        f"{ON_T} TRIGGER g BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION tf('x')",
        f"{ON_T} TRIGGER g BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION tf('y')",
        {"trigger g"},
    ),
    (
        "tgattr",
        f"{ON_T} TRIGGER g BEFORE UPDATE OF a ON u FOR EACH ROW EXECUTE FUNCTION tf()",
        f"{ON_T} TRIGGER g BEFORE UPDATE OF c ON u FOR EACH ROW EXECUTE FUNCTION tf()",
        {"trigger g"},
    ),
    (
        "evttags",
        f"{EF}; CREATE EVENT TRIGGER x ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION ef()",
        f"{EF}; CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION ef()",
        {"exists"},
    ),
    (
        "stxkind",
        f"{T}; CREATE STATISTICS s (mcv) ON a, c FROM u",
        f"{T}; CREATE STATISTICS s (ndistinct) ON a, c FROM u",
        {"exists"},
    ),
    (
        "partstrat",
        "CREATE TABLE u (a int) PARTITION BY HASH (a)",
        "CREATE TABLE u (a int) PARTITION BY LIST (a)",
        {"partition key"},
    ),
    (
        "partcollation",
        'CREATE TABLE u (a text) PARTITION BY RANGE (a COLLATE "C")',
        "CREATE TABLE u (a text) PARTITION BY RANGE (a)",
        {"partition key"},
    ),
    (
        "oprcom",
        f"{OP} (LEFTARG = text, RIGHTARG = text, FUNCTION = f, COMMUTATOR = @@@)",
        f"{OP} (LEFTARG = text, RIGHTARG = text, FUNCTION = f)",
        {"operator"},
    ),
    (
        "oprrest",
        f"{OP} (LEFTARG = text, RIGHTARG = text, FUNCTION = f, RESTRICT = eqsel)",
        f"{OP} (LEFTARG = text, RIGHTARG = text, FUNCTION = f)",
        {"operator"},
    ),
    (
        "oprcanhash",
        f"{OP} (LEFTARG = text, RIGHTARG = text, FUNCTION = f, HASHES)",
        f"{OP} (LEFTARG = text, RIGHTARG = text, FUNCTION = f)",
        {"operator"},
    ),
    (
        "castcontext",
        f"{ENUM}; {TO_E}; CREATE CAST (int AS e) WITH FUNCTION f AS IMPLICIT",
        f"{ENUM}; {TO_E}; CREATE CAST (int AS e) WITH FUNCTION f",
        {"exists"},
    ),
    (
        "castmethod",
        f"{ENUM}; CREATE CAST (e AS text) WITH INOUT AS ASSIGNMENT",
        f"{ENUM}; CREATE CAST (e AS text) WITH INOUT",
        {"exists"},
    ),
    (
        "condefault",
        "CREATE DEFAULT CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
        "CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
        {"exists"},
    ),
    (
        "dictinitoption",
        "CREATE TEXT SEARCH DICTIONARY x (TEMPLATE = simple, ACCEPT = false)",
        "CREATE TEXT SEARCH DICTIONARY x (TEMPLATE = simple)",
        {"exists"},
    ),
    (
        "mapdict",
        "CREATE TEXT SEARCH CONFIGURATION x (COPY = english)",
        "CREATE TEXT SEARCH CONFIGURATION x (COPY = german)",
        {"mappings"},
    ),
    ("aggfinalfn", f"{AGG}, FINALFUNC = int4abs)", f"{AGG})", {"aggregate"}),
    ("aggmtransfn", f"{AGG}, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int)", f"{AGG})", {"aggregate"}),
    (
        "ev_enabled",
        f"{T}; CREATE RULE r AS ON DELETE TO u DO INSTEAD NOTHING; ALTER TABLE u ENABLE ALWAYS RULE r",
        f"{T}; CREATE RULE r AS ON DELETE TO u DO INSTEAD NOTHING",
        {"rule r"},
    ),
    (
        "prattrs",
        f"{T}; CREATE PUBLICATION p FOR TABLE u (a)",
        f"{T}; CREATE PUBLICATION p FOR TABLE u",
        {"table public.u"},
    ),
]


@pytest.mark.parametrize(("one", "other", "differing"), [each[1:] for each in PAIRS], ids=[each[0] for each in PAIRS])
def test_what_differs_in_one_attribute_differs(
    transaction: Connection, one: str, other: str, differing: set[str]
) -> None:
    """Two schemas that differ in one attribute differ in the properties that show it, and in no other."""
    snapshots = []
    for script in (one, other):
        transaction.execute("SAVEPOINT before")
        transaction.execute(script.encode())
        snapshots.append(catalog.read(transaction))
        transaction.execute("ROLLBACK TO before")
    one_read, other_read = snapshots
    keys = {key for key in one_read.keys() | other_read.keys() if one_read.get(key) != other_read.get(key)}
    assert {prop for _, prop in keys} == differing
