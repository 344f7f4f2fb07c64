"""What a snapshot shows: every block and property of the catalog's queries, by changing it."""

import re
from importlib.resources import files
from typing import Any

import psycopg
import pytest

from recovery.postgres import catalog
from recovery.postgres.catalog import scope_of
from recovery.replay.embedded import SUPERUSER
from recovery.replay.steps import changed_keys
from states.comparison import is_next_value

Connection = psycopg.Connection[Any]

PARENT = "CREATE TABLE p (id int, at date) PARTITION BY RANGE (id)"
FUNCTION = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'"
TRIGGER = (
    "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf()"
)
SERVER = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w"
PARTED = (
    "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE TRIGGER g AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION tf()"
)
TRANSFORM = "CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal))"
COLLATED = "CREATE COLLATION n (provider = libc, locale = 'POSIX')"
EVENT = "CREATE FUNCTION ef() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"

OPERATOR = (
    "CREATE FUNCTION matches(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
    "CREATE OPERATOR @@@ (LEFTARG = text, RIGHTARG = text, FUNCTION = matches)"
)

#: What there is before, the statement, and a property that it changes. A table `t` with some columns is there.
CASES: list[tuple[str, str, str, str]] = [
    # schemas, extensions
    ("", "CREATE SCHEMA s", "schema s", "exists"),
    ("CREATE SCHEMA s", "COMMENT ON SCHEMA s IS 'c'", "schema s", "comment"),
    ("CREATE SCHEMA s", "GRANT USAGE ON SCHEMA s TO replay", "schema s", "privileges of replay"),
    ("", "CREATE EXTENSION citext", "extension citext", "exists"),
    # tables and views
    ("", "CREATE TABLE u ()", "table public.u", "exists"),
    ("", "DROP TABLE t", "table public.t", "exists"),
    ("", "ALTER TABLE t RENAME TO u", "table public.u", "exists"),
    ("CREATE SCHEMA s", "ALTER TABLE t SET SCHEMA s", "table s.t", "exists"),
    ("", "ALTER TABLE t SET UNLOGGED", "table public.t", "persistence"),
    ("", PARENT, "table public.p", "partition key"),
    (PARENT, "CREATE TABLE q PARTITION OF p FOR VALUES FROM (1) TO (9)", "table public.q", "partition bound"),
    (
        f"{PARENT}; CREATE TABLE q PARTITION OF p DEFAULT",
        "ALTER TABLE p DETACH PARTITION q",
        "table public.q",
        "inherits",
    ),
    ("CREATE TABLE c (LIKE t)", "ALTER TABLE c INHERIT t", "table public.c", "inherits"),
    ("", "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "table public.t", "row security"),
    ("", "ALTER TABLE t FORCE ROW LEVEL SECURITY", "table public.t", "row security"),
    ("", "ALTER TABLE t REPLICA IDENTITY FULL", "table public.t", "replica identity"),
    ("", "ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey", "table public.t", "replica identity"),
    ("", "ALTER TABLE t SET (fillfactor = 70)", "table public.t", "options"),
    ("", "COMMENT ON TABLE t IS 'c'", "table public.t", "comment"),
    ("", "CREATE VIEW v AS SELECT a FROM t", "view public.v", "exists"),
    (
        "CREATE VIEW v AS SELECT a FROM t",
        "CREATE OR REPLACE VIEW v AS SELECT a FROM t WHERE id > 0",
        "view public.v",
        "definition",
    ),
    ("CREATE VIEW v AS SELECT a FROM t", "ALTER VIEW v SET (security_invoker = true)", "view public.v", "options"),
    ("CREATE VIEW v AS SELECT a FROM t", "COMMENT ON VIEW v IS 'c'", "view public.v", "comment"),
    (
        "CREATE VIEW v AS SELECT a FROM t",
        "ALTER VIEW v ALTER COLUMN a SET DEFAULT 'x'",
        "view public.v",
        "column a default",
    ),
    ("", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t", "materialized view public.m", "definition"),
    (
        "CREATE MATERIALIZED VIEW m AS SELECT a FROM t WITH NO DATA",
        "REFRESH MATERIALIZED VIEW m",
        "materialized view public.m",
        "populated",
    ),
    (SERVER, "CREATE FOREIGN TABLE r (a int) SERVER s", "foreign table public.r", "exists"),
    (
        f"{SERVER}; CREATE FOREIGN TABLE r (a int) SERVER s",
        "ALTER FOREIGN TABLE r ADD COLUMN b int",
        "foreign table public.r",
        "column b",
    ),
    # columns
    ("", "ALTER TABLE t ADD COLUMN n int", "table public.t", "column n"),
    ("", "ALTER TABLE t DROP COLUMN a", "table public.t", "column a"),
    ("", "ALTER TABLE t RENAME COLUMN a TO z", "table public.t", "column z"),
    ("", "ALTER TABLE t ALTER COLUMN a TYPE varchar(20)", "table public.t", "column a type"),
    ("", "ALTER TABLE t ALTER COLUMN v TYPE varchar(30)", "table public.t", "column v type"),
    ("", "ALTER TABLE t ALTER COLUMN a SET NOT NULL", "table public.t", "column a nullability"),
    ("", "ALTER TABLE t ALTER COLUMN a SET DEFAULT 'x'", "table public.t", "column a default"),
    (
        "ALTER TABLE t ALTER COLUMN a SET DEFAULT 'x'",
        "ALTER TABLE t ALTER COLUMN a SET DEFAULT 'y'",
        "table public.t",
        "column a default",
    ),
    ("", "ALTER TABLE t ADD COLUMN n int GENERATED ALWAYS AS (id + 1) STORED", "table public.t", "column n generated"),
    ("", "ALTER TABLE t ADD COLUMN n int GENERATED ALWAYS AS (id + 1) VIRTUAL", "table public.t", "column n generated"),
    ("", "ALTER TABLE t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY", "table public.t", "column id identity"),
    (
        "ALTER TABLE t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE t ALTER COLUMN id SET GENERATED BY DEFAULT",
        "table public.t",
        "column id identity",
    ),
    ("", 'ALTER TABLE t ALTER COLUMN a TYPE text COLLATE "POSIX"', "table public.t", "column a collation"),
    ("", "ALTER TABLE t ALTER COLUMN a SET STORAGE EXTERNAL", "table public.t", "column a storage"),
    ("", "ALTER TABLE t ALTER COLUMN a SET STATISTICS 7", "table public.t", "column a statistics"),
    ("", "ALTER TABLE t ALTER COLUMN a SET COMPRESSION pglz", "table public.t", "column a compression"),
    ("", "ALTER TABLE t ALTER COLUMN a SET (n_distinct = 5)", "table public.t", "column a options"),
    ("", "COMMENT ON COLUMN t.a IS 'c'", "table public.t", "column a comment"),
    # constraints
    ("", "ALTER TABLE t ADD CONSTRAINT k CHECK (id > 0)", "table public.t", "constraint k"),
    ("", "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a)", "table public.t", "constraint k"),
    ("", "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES t", "table public.t", "constraint k"),
    ("", "ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING btree (a WITH =)", "table public.t", "constraint k"),
    ("", "ALTER TABLE t DROP CONSTRAINT t_pkey", "table public.t", "constraint t_pkey"),
    (
        "ALTER TABLE t ADD CONSTRAINT k CHECK (id > 0) NOT VALID",
        "ALTER TABLE t VALIDATE CONSTRAINT k",
        "table public.t",
        "constraint k",
    ),
    (
        "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES t",
        "ALTER TABLE t ALTER CONSTRAINT k DEFERRABLE",
        "table public.t",
        "constraint k",
    ),
    ("", "ALTER TABLE t RENAME CONSTRAINT t_pkey TO k", "table public.t", "constraint k"),
    ("", "COMMENT ON CONSTRAINT t_pkey ON t IS 'c'", "table public.t", "constraint t_pkey comment"),
    # indexes; each second statement makes the same index otherwise
    ("", "CREATE INDEX i ON t (a)", "index public.i", "exists"),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i", "index public.i", "exists"),
    (
        "CREATE TABLE u (a text); CREATE INDEX i ON t (a)",
        "DROP INDEX i; CREATE INDEX i ON u (a)",
        "index public.i",
        "table",
    ),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t USING hash (a)", "index public.i", "method"),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE UNIQUE INDEX i ON t (a)", "index public.i", "unique"),
    (
        "CREATE UNIQUE INDEX i ON t (a)",
        "DROP INDEX i; CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT",
        "index public.i",
        "unique",
    ),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t (id)", "index public.i", "columns"),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t (a DESC)", "index public.i", "columns"),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t (a NULLS FIRST)", "index public.i", "columns"),
    (
        "CREATE INDEX i ON t (a DESC)",
        "DROP INDEX i; CREATE INDEX i ON t (a DESC NULLS LAST)",
        "index public.i",
        "columns",
    ),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t (a text_pattern_ops)", "index public.i", "columns"),
    ("CREATE INDEX i ON t (a)", 'DROP INDEX i; CREATE INDEX i ON t (a COLLATE "POSIX")', "index public.i", "columns"),
    ("CREATE INDEX i ON t (lower(a))", "DROP INDEX i; CREATE INDEX i ON t (upper(a))", "index public.i", "columns"),
    ("CREATE INDEX i ON t (a, id)", "DROP INDEX i; CREATE INDEX i ON t (id, a)", "index public.i", "columns"),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t (a) INCLUDE (id)", "index public.i", "include"),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t (a) WHERE id > 0", "index public.i", "predicate"),
    (
        "CREATE INDEX i ON t (a)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass",
        "index public.i",
        "valid",
    ),
    ("CREATE INDEX i ON t (a)", "ALTER TABLE t CLUSTER ON i", "index public.i", "clustered"),
    ("CREATE INDEX i ON t (a)", "ALTER INDEX i SET (fillfactor = 50)", "index public.i", "options"),
    ("CREATE INDEX i ON t (a)", "COMMENT ON INDEX i IS 'c'", "index public.i", "comment"),
    # triggers, rules, policies
    ("", TRIGGER, "table public.t", "trigger g"),
    (TRIGGER, "ALTER TABLE t DISABLE TRIGGER g", "table public.t", "trigger g enabled"),
    (TRIGGER, "COMMENT ON TRIGGER g ON t IS 'c'", "table public.t", "trigger g comment"),
    (
        f"{TRIGGER}; CREATE VIEW v AS SELECT a FROM t",
        "CREATE TRIGGER h INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION tf()",
        "view public.v",
        "trigger h",
    ),
    ("", "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING", "table public.t", "rule r"),
    ("CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING", "ALTER TABLE t DISABLE RULE r", "table public.t", "rule r"),
    ("", "CREATE POLICY y ON t USING (true)", "table public.t", "policy y"),
    ("CREATE POLICY y ON t USING (true)", "ALTER POLICY y ON t USING (false)", "table public.t", "policy y"),
    ("CREATE POLICY y ON t USING (true)", "ALTER POLICY y ON t WITH CHECK (true)", "table public.t", "policy y"),
    ("CREATE POLICY y ON t USING (true)", "ALTER POLICY y ON t TO replay", "table public.t", "policy y"),
    (
        "CREATE POLICY y ON t USING (true)",
        "DROP POLICY y ON t; CREATE POLICY y ON t AS RESTRICTIVE USING (true)",
        "table public.t",
        "policy y",
    ),
    (
        "CREATE POLICY y ON t USING (true)",
        "DROP POLICY y ON t; CREATE POLICY y ON t FOR SELECT USING (true)",
        "table public.t",
        "policy y",
    ),
    # privileges
    ("", "GRANT SELECT ON t TO replay", "table public.t", "privileges of replay"),
    ("GRANT SELECT ON t TO replay", "GRANT INSERT ON t TO replay", "table public.t", "privileges of replay"),
    (
        "GRANT SELECT ON t TO replay",
        "GRANT SELECT ON t TO replay WITH GRANT OPTION",
        "table public.t",
        "privileges of replay",
    ),
    ("", "GRANT SELECT ON t TO PUBLIC", "table public.t", "privileges of public"),
    ("CREATE SEQUENCE q", "GRANT USAGE ON SEQUENCE q TO replay", "sequence public.q", "privileges of replay"),
    # sequences
    ("", "CREATE SEQUENCE q", "sequence public.q", "exists"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q AS smallint", "sequence public.q", "type"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q START 5", "sequence public.q", "start"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q INCREMENT 5", "sequence public.q", "increment"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q MINVALUE -5", "sequence public.q", "minimum"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q MAXVALUE 500", "sequence public.q", "maximum"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q CACHE 5", "sequence public.q", "cache"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q CYCLE", "sequence public.q", "cycle"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q OWNED BY t.id", "sequence public.q", "owned by"),
    ("CREATE SEQUENCE q", "COMMENT ON SEQUENCE q IS 'c'", "sequence public.q", "comment"),
    # types
    ("", "CREATE TYPE e AS ENUM ('p')", "type public.e", "exists"),
    ("CREATE TYPE e AS ENUM ('p')", "ALTER TYPE e ADD VALUE 'q'", "type public.e", "labels"),
    ("CREATE TYPE e AS ENUM ('p')", "ALTER TYPE e RENAME VALUE 'p' TO 'q'", "type public.e", "labels"),
    ("CREATE TYPE e AS ENUM ('p', 'q')", "DROP TYPE e; CREATE TYPE e AS ENUM ('q', 'p')", "type public.e", "labels"),
    ("CREATE TYPE e AS ENUM ('p')", "DROP TYPE e; CREATE DOMAIN e AS int", "type public.e", "kind"),
    ("CREATE DOMAIN d AS int", "DROP DOMAIN d; CREATE DOMAIN d AS bigint", "type public.d", "base type"),
    ("CREATE DOMAIN d AS int", "ALTER DOMAIN d SET NOT NULL", "type public.d", "nullability"),
    ("CREATE DOMAIN d AS int", "ALTER DOMAIN d SET DEFAULT 7", "type public.d", "default"),
    ("CREATE DOMAIN d AS int", "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0)", "type public.d", "constraint k"),
    ("CREATE TYPE o AS (a int)", "ALTER TYPE o ADD ATTRIBUTE b int", "type public.o", "attributes"),
    (
        "CREATE TYPE r AS RANGE (SUBTYPE = int)",
        "DROP TYPE r; CREATE TYPE r AS RANGE (SUBTYPE = bigint)",
        "type public.r",
        "subtype",
    ),
    ("CREATE TYPE e AS ENUM ('p')", "COMMENT ON TYPE e IS 'c'", "type public.e", "comment"),
    # functions
    ("", FUNCTION, "function public.f(a integer)", "exists"),
    (
        FUNCTION,
        "CREATE FUNCTION f(a text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "function public.f(a text)",
        "exists",
    ),
    (
        FUNCTION,
        "CREATE OR REPLACE FUNCTION f(a int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "function public.f(a integer)",
        "arguments",
    ),
    (
        FUNCTION,
        "DROP FUNCTION f; CREATE FUNCTION f(a int) RETURNS bigint LANGUAGE sql AS 'SELECT 1'",
        "function public.f(a integer)",
        "result",
    ),
    (
        FUNCTION,
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
        "function public.f(a integer)",
        "language",
    ),
    (
        FUNCTION,
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 2'",
        "function public.f(a integer)",
        "body",
    ),
    (
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql RETURN 1",
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql RETURN 2",
        "function public.f(a integer)",
        "body",
    ),
    (FUNCTION, "ALTER FUNCTION f STABLE", "function public.f(a integer)", "volatility"),
    (FUNCTION, "ALTER FUNCTION f STRICT", "function public.f(a integer)", "volatility"),
    (FUNCTION, "ALTER FUNCTION f LEAKPROOF", "function public.f(a integer)", "volatility"),
    (FUNCTION, "ALTER FUNCTION f PARALLEL SAFE", "function public.f(a integer)", "volatility"),
    (FUNCTION, "ALTER FUNCTION f SECURITY DEFINER", "function public.f(a integer)", "security"),
    (FUNCTION, "ALTER FUNCTION f COST 7", "function public.f(a integer)", "cost"),
    (FUNCTION, "ALTER FUNCTION f SET search_path = ''", "function public.f(a integer)", "settings"),
    (FUNCTION, "COMMENT ON FUNCTION f IS 'c'", "function public.f(a integer)", "comment"),
    ("", "CREATE PROCEDURE f() LANGUAGE sql AS 'SELECT 1'", "procedure public.f()", "body"),
    ("", "CREATE AGGREGATE g(int) (SFUNC = int4pl, STYPE = int)", "aggregate public.g(integer)", "exists"),
    # statistics, publications, event triggers
    ("", "CREATE STATISTICS z ON id, a FROM t", "statistics public.z", "exists"),
    (
        "CREATE STATISTICS z ON id, a FROM t",
        "DROP STATISTICS z; CREATE STATISTICS z ON id, v FROM t",
        "statistics public.z",
        "exists",
    ),
    ("", "CREATE PUBLICATION b", "publication b", "exists"),
    ("CREATE PUBLICATION b", "ALTER PUBLICATION b ADD TABLE t", "publication b", "table public.t"),
    ("CREATE PUBLICATION b", "ALTER PUBLICATION b SET (publish = 'insert')", "publication b", "publishes"),
    (EVENT, "CREATE EVENT TRIGGER x ON ddl_command_start EXECUTE FUNCTION ef()", "event trigger x", "exists"),
    (
        f"{EVENT}; CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION ef()",
        "ALTER EVENT TRIGGER x DISABLE",
        "event trigger x",
        "exists",
    ),
    # what is read beyond the first of everything
    ("CREATE TYPE e AS (a int)", "CREATE TABLE o OF e", "table public.o", "of type"),
    (
        "CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler",
        "ALTER TABLE t SET ACCESS METHOD other",
        "table public.t",
        "access method",
    ),
    ("", "ALTER TABLE t SET (toast.autovacuum_enabled = false)", "table public.t", "toast options"),
    ("", "ALTER TABLE t ADD CONSTRAINT k NOT NULL a NOT VALID", "table public.t", "constraint k"),
    (
        "ALTER TABLE t ADD CONSTRAINT demanded NOT NULL a NOT VALID",
        "ALTER TABLE t VALIDATE CONSTRAINT demanded",
        "table public.t",
        "constraint demanded",
    ),
    ("", "ALTER TABLE t ADD CONSTRAINT k NOT NULL a NO INHERIT", "table public.t", "constraint k"),
    ("", "ALTER TABLE t ADD CONSTRAINT k CHECK (id > 0) NOT ENFORCED", "table public.t", "constraint k"),
    (
        "CREATE TABLE u (id int REFERENCES t)",
        "ALTER TABLE u DISABLE TRIGGER ALL",
        "table public.u",
        "constraint u_id_fkey triggers",
    ),
    (
        "CREATE EXTENSION pg_trgm; CREATE INDEX i ON t USING gist (a gist_trgm_ops)",
        "DROP INDEX i; CREATE INDEX i ON t USING gist (a gist_trgm_ops (siglen = 64))",
        "index public.i",
        "columns",
    ),
    (
        f"{PARENT}; CREATE TABLE q PARTITION OF p DEFAULT; CREATE INDEX i ON ONLY p (id); CREATE INDEX j ON q (id)",
        "ALTER INDEX i ATTACH PARTITION j",
        "index public.j",
        "part of",
    ),
    (
        f"{PARENT}; CREATE TABLE q PARTITION OF p DEFAULT; {PARTED}",
        "ALTER TABLE q DISABLE TRIGGER g",
        "table public.q",
        "trigger g enabled",
    ),
    (
        "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
        "COMMENT ON RULE r ON t IS 'c'",
        "table public.t",
        "rule r comment",
    ),
    ("CREATE POLICY y ON t USING (true)", "COMMENT ON POLICY y ON t IS 'c'", "table public.t", "policy y comment"),
    ("CREATE EXTENSION citext", "COMMENT ON EXTENSION citext IS 'c'", "extension citext", "comment"),
    ("CREATE SCHEMA s; CREATE EXTENSION citext", "ALTER EXTENSION citext SET SCHEMA s", "extension citext", "schema"),
    ("CREATE EXTENSION citext VERSION '1.4'", "ALTER EXTENSION citext UPDATE TO '1.5'", "extension citext", "version"),
    ("", "COMMENT ON SCHEMA public IS 'c'", "schema public", "comment"),
    (
        "CREATE MATERIALIZED VIEW m AS SELECT a FROM t",
        "COMMENT ON COLUMN m.a IS 'c'",
        "materialized view public.m",
        "column a comment",
    ),
    # more privileges
    ("", "GRANT SELECT (a) ON t TO replay", "table public.t", "column a privileges of replay"),
    ("", "GRANT ALL ON t TO replay", "table public.t", "privileges of replay"),
    ("GRANT ALL ON t TO replay", "REVOKE UPDATE ON t FROM replay", "table public.t", "privileges of replay"),
    (FUNCTION, "REVOKE EXECUTE ON FUNCTION f FROM PUBLIC", "function public.f(a integer)", "privileges of public"),
    (
        f"{FUNCTION}; REVOKE EXECUTE ON FUNCTION f FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION f TO PUBLIC",
        "function public.f(a integer)",
        "privileges of public",
    ),
    (FUNCTION, "GRANT EXECUTE ON FUNCTION f TO replay", "function public.f(a integer)", "privileges of replay"),
    ("CREATE TYPE e AS ENUM ('p')", "GRANT USAGE ON TYPE e TO replay", "type public.e", "privileges of replay"),
    ("CREATE DOMAIN d AS int", "REVOKE USAGE ON DOMAIN d FROM PUBLIC", "type public.d", "privileges of public"),
    # more of types
    ("CREATE DOMAIN d AS text", 'DROP DOMAIN d; CREATE DOMAIN d AS text COLLATE "POSIX"', "type public.d", "collation"),
    (
        "CREATE DOMAIN d AS int CONSTRAINT k CHECK (VALUE > 0)",
        "COMMENT ON CONSTRAINT k ON DOMAIN d IS 'c'",
        "type public.d",
        "constraint k comment",
    ),
    (
        "CREATE DOMAIN d AS int; ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0) NOT VALID",
        "ALTER DOMAIN d VALIDATE CONSTRAINT k",
        "type public.d",
        "constraint k",
    ),
    (
        "CREATE TYPE o AS (a text)",
        'ALTER TYPE o ALTER ATTRIBUTE a TYPE text COLLATE "POSIX"',
        "type public.o",
        "attributes",
    ),
    ("CREATE TYPE o AS (a text)", "COMMENT ON COLUMN o.a IS 'c'", "type public.o", "attribute a comment"),
    (
        "CREATE TYPE r AS RANGE (SUBTYPE = text)",
        'DROP TYPE r; CREATE TYPE r AS RANGE (SUBTYPE = text, COLLATION = "POSIX")',
        "type public.r",
        "subtype",
    ),
    (
        "CREATE TYPE r AS RANGE (SUBTYPE = float8)",
        "DROP TYPE r; CREATE TYPE r AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi)",
        "type public.r",
        "subtype",
    ),
    # more of functions
    (
        "CREATE AGGREGATE g(int) (SFUNC = int4pl, STYPE = int)",
        "DROP AGGREGATE g(int); CREATE AGGREGATE g(int) (SFUNC = int4mi, STYPE = int)",
        "aggregate public.g(integer)",
        "aggregate",
    ),
    (
        "CREATE AGGREGATE g(int) (SFUNC = int4pl, STYPE = int)",
        "DROP AGGREGATE g(int); CREATE AGGREGATE g(int) (SFUNC = int4pl, STYPE = int, INITCOND = '1')",
        "aggregate public.g(integer)",
        "aggregate",
    ),
    ("", "CREATE FUNCTION w() RETURNS int LANGUAGE internal WINDOW AS 'window_rank'", "function public.w()", "window"),
    (
        "CREATE PROCEDURE f() LANGUAGE sql AS 'SELECT 1'",
        "COMMENT ON PROCEDURE f IS 'c'",
        "procedure public.f()",
        "comment",
    ),
    (
        f"{FUNCTION}; {TRANSFORM}",
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS int TRANSFORM FOR TYPE int LANGUAGE sql AS 'SELECT 1'",
        "function public.f(a integer)",
        "transforms",
    ),
    # collations
    ("", "CREATE COLLATION n (provider = libc, locale = 'POSIX')", "collation public.n", "exists"),
    (COLLATED, "DROP COLLATION n; CREATE COLLATION n (locale = 'C')", "collation public.n", "collation"),
    (
        COLLATED,
        "DROP COLLATION n; CREATE COLLATION n (lc_collate = 'POSIX', lc_ctype = 'C')",
        "collation public.n",
        "collation",
    ),
    (
        COLLATED,
        "DROP COLLATION n; CREATE COLLATION n (provider = builtin, locale = 'C')",
        "collation public.n",
        "collation",
    ),
    (COLLATED, "COMMENT ON COLLATION n IS 'c'", "collation public.n", "comment"),
    # more of statistics, publications, event triggers
    ("CREATE STATISTICS z ON id, a FROM t", "COMMENT ON STATISTICS z IS 'c'", "statistics public.z", "comment"),
    ("", "CREATE PUBLICATION b FOR ALL TABLES", "publication b", "tables"),
    ("CREATE PUBLICATION b", "ALTER PUBLICATION b SET (publish_via_partition_root)", "publication b", "partitions"),
    (
        "CREATE PUBLICATION b",
        "ALTER PUBLICATION b SET (publish_generated_columns = stored)",
        "publication b",
        "generated columns",
    ),
    ("CREATE PUBLICATION b", "ALTER PUBLICATION b ADD TABLES IN SCHEMA public", "publication b", "schema public"),
    ("CREATE PUBLICATION b FOR TABLE t", "ALTER PUBLICATION b SET TABLE t (id, a)", "publication b", "table public.t"),
    (
        "CREATE PUBLICATION b FOR TABLE t",
        "ALTER PUBLICATION b SET TABLE t WHERE (id > 0)",
        "publication b",
        "table public.t",
    ),
    ("CREATE PUBLICATION b", "COMMENT ON PUBLICATION b IS 'c'", "publication b", "comment"),
    # what a sequence gives, and how it is kept
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q RESTART 7", "sequence public.q", "next value"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q SET UNLOGGED", "sequence public.q", "persistence"),
    # what children have by themselves
    ("CREATE TABLE c (LIKE t)", "ALTER TABLE c INHERIT t", "table public.c", "column a inheritance"),
    (
        "CREATE TABLE p (a int, CONSTRAINT k CHECK (a > 0)); CREATE TABLE c (LIKE p, CONSTRAINT k CHECK (a > 0))",
        "ALTER TABLE c INHERIT p",
        "table public.c",
        "constraint k inheritance",
    ),
    # targets of statistics
    (
        "CREATE INDEX i ON t ((id + 1))",
        "ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 7",
        "index public.i",
        "statistics",
    ),
    (
        "CREATE STATISTICS z ON id, a FROM t",
        "ALTER STATISTICS z SET STATISTICS 7",
        "statistics public.z",
        "target",
    ),
    (FUNCTION, "ALTER FUNCTION f SUPPORT generate_series_int4_support", "function public.f(a integer)", "support"),
    # operators, casts, conversions, text search
    ("", OPERATOR, 'operator public."@@@"(text, text)', "exists"),
    (
        OPERATOR,
        "ALTER OPERATOR @@@ (text, text) SET (RESTRICT = eqsel)",
        'operator public."@@@"(text, text)',
        "operator",
    ),
    (
        "CREATE TYPE e AS ENUM ('p')",
        "CREATE CAST (e AS text) WITH INOUT AS ASSIGNMENT",
        'cast "public.e AS text"',
        "exists",
    ),
    ("", "CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8", "conversion public.c", "exists"),
    ("", "CREATE TEXT SEARCH DICTIONARY x (TEMPLATE = simple)", "text search dictionary public.x", "exists"),
    (
        "CREATE TEXT SEARCH DICTIONARY x (TEMPLATE = simple)",
        "ALTER TEXT SEARCH DICTIONARY x (ACCEPT = false)",
        "text search dictionary public.x",
        "exists",
    ),
    ("", 'CREATE TEXT SEARCH CONFIGURATION x (PARSER = "default")', "text search configuration public.x", "exists"),
    ("", 'CREATE TEXT SEARCH CONFIGURATION x (PARSER = "default")', "text search configuration public.x", "parser"),
    (
        "CREATE TEXT SEARCH CONFIGURATION x (COPY = english)",
        "ALTER TEXT SEARCH CONFIGURATION x ALTER MAPPING FOR word WITH simple",
        "text search configuration public.x",
        "mappings",
    ),
    ("", "CREATE TYPE e", "type public.e", "kind"),
    (
        f"{EVENT}; CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION ef()",
        "COMMENT ON EVENT TRIGGER x IS 'c'",
        "event trigger x",
        "comment",
    ),
]


_OWNERS = (f"privileges of {SUPERUSER}", "privileges of pg_database_owner")
_NEW = {f"table public.t column n{prop}" for prop in ("", " type", " nullability")}
#: What else such a statement changes, and rightly so.
RIPPLES: dict[str, set[str]] = {
    "ALTER TABLE t VALIDATE CONSTRAINT demanded": {"table public.t column a nullability"},
    "ALTER TABLE t RENAME TO u": {"index public.t_pkey table"},
    "ALTER TABLE c INHERIT t": {
        "table public.c inherits",
        *(f"table public.c column {each} inheritance" for each in ("id", "a", "v")),
    },
    "ALTER TABLE c INHERIT p": {f"table public.c {each}" for each in ("column a inheritance", "inherits")},
    "ALTER TABLE p DETACH PARTITION q": {"table public.q partition bound"},
    "ALTER TABLE t RENAME COLUMN a TO z": {"table public.t column a"},
    "ALTER TABLE t ADD COLUMN n int GENERATED ALWAYS AS (id + 1) STORED": _NEW,
    "ALTER TABLE t ADD COLUMN n int GENERATED ALWAYS AS (id + 1) VIRTUAL": _NEW,
    "ALTER TABLE t RENAME CONSTRAINT t_pkey TO k": {"table public.t constraint t_pkey"},
    "ALTER SEQUENCE q AS smallint": {"sequence public.q maximum"},
    "DROP TYPE e; CREATE DOMAIN e AS int": {f"type public.e {prop}" for prop in ("labels", "base type", "nullability")},
    "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'": {
        "function public.f(a integer) body"
    },
    "ALTER TABLE t ADD CONSTRAINT k NOT NULL a NOT VALID": {"table public.t column a nullability"},
    "ALTER TABLE t ADD CONSTRAINT k NOT NULL a NO INHERIT": {"table public.t column a nullability"},
    "ALTER INDEX i ATTACH PARTITION j": {"index public.i valid"},
}


@pytest.mark.parametrize(("setup", "ddl", "obj", "prop"), CASES, ids=[case[1][:60] for case in CASES])
def test_each_property_is_seen(transaction: Connection, setup: str, ddl: str, obj: str, prop: str) -> None:
    """The statement changes that property in the snapshot and no other; reading its objects alone shows the same."""
    transaction.execute(setup.encode())
    before = catalog.read(transaction)
    transaction.execute(ddl.encode())
    after = catalog.read(transaction)
    changed = changed_keys([before, after])
    changed |= {key for key in after if is_next_value(key) and after[key] != before.get(key)}
    assert (obj, prop) in changed
    made = {o for o, p in changed if p == "exists"}
    others = {k for k in changed if k[0] not in made and k != (obj, prop) and not k[1].startswith(f"{prop} ")}
    assert {f"{o} {p}" for o, p in others} == RIPPLES.get(ddl, set()) - {f"{obj} {prop}"}
    scoped = catalog.read(transaction, scope_of({o for o, _ in changed}))
    # Production's owner has all, and is compared where a script names that very role; a replay shows no owner.
    owned = {key for key in scoped.keys() - after.keys() if key[1] in _OWNERS}
    objects = {o for o, _ in changed}
    assert {key: v for key, v in scoped.items() if key[0] in objects and key not in owned} == {
        key: v for key, v in after.items() if key[0] in objects
    }
    assert {key: v for key, v in scoped.items() if key not in owned}.items() <= after.items()


def test_every_block_is_tried() -> None:
    """Each property that the queries name is the subject of a case above."""
    folder = files("recovery.postgres")
    text = "".join(folder.joinpath(name).read_text("utf-8") for name in ("catalog.sql", "remarks.sql"))
    properties = set(re.findall(r"^    \('([a-z ]+)', ", text, re.MULTILINE))
    properties |= set(re.findall(r"'( [a-z]+)'[,\]]", text[text.index("unnest(\n") :].split("]", 1)[0] + "]"))
    tried = {prop for _, _, _, prop in CASES}
    tried |= {prop.rsplit(" ", 1)[-1] for prop in tried}
    assert {each.strip() for each in properties} - tried == set()
