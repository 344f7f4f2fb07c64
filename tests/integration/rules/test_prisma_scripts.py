"""Scripts as Prisma and people write them, in production wholly or not at all: these need no person."""

import pytest

from tests.integration.rules.production import APPLIED, NOT_APPLIED, Production, verdict

#: What was there before, and the script.
SCRIPTS = [
    pytest.param("", 'ALTER TABLE "t" RENAME COLUMN "a" TO "b"', id="p-rename-map"),
    pytest.param("CREATE TYPE e AS ENUM ('a')", "ALTER TYPE e RENAME VALUE 'a' TO 'b'", id="enum-rename-ok"),
    pytest.param(
        "CREATE TYPE \"E\" AS ENUM ('A','B'); CREATE TABLE w (c \"E\" DEFAULT 'A')",
        (
            'BEGIN; CREATE TYPE "E_new" AS ENUM (\'A\'); ALTER TABLE "w" ALTER COLUMN "c" DROP DEFAULT; ALTER '
            'TABLE "w" ALTER COLUMN "c" TYPE "E_new" USING ("c"::text::"E_new"); ALTER TYPE "E" RENAME TO '
            '"E_old"; ALTER TYPE "E_new" RENAME TO "E"; DROP TYPE "E_old"; ALTER TABLE "w" ALTER COLUMN "c" '
            "SET DEFAULT 'A'; COMMIT;"
        ),
        id="enum-rewrite-nothing",
    ),
    pytest.param(
        (
            "CREATE TABLE pa (id int PRIMARY KEY); ALTER TABLE t ADD CONSTRAINT t_fk FOREIGN KEY (a) "
            "REFERENCES pa(id) ON DELETE CASCADE NOT VALID"
        ),
        (
            "ALTER TABLE t DROP CONSTRAINT t_fk; ALTER TABLE t ADD CONSTRAINT t_fk FOREIGN KEY (a) "
            "REFERENCES pa(id) ON DELETE SET NULL NOT VALID"
        ),
        id="fk-swap",
    ),
    pytest.param("", 'CREATE TABLE "q""x" ("c""d" int, "e f" text)', id="quote-name"),
    pytest.param("", 'ALTER TABLE t ADD COLUMN "a"" type" int', id="col-quote-trick"),
    pytest.param("CREATE TABLE c1 (id int NOT NULL, a int)", "ALTER TABLE c1 INHERIT t", id="inherit"),
    pytest.param("CREATE VIEW v AS SELECT a FROM t", "ALTER TABLE t DROP COLUMN a CASCADE", id="drop-cascade"),
    pytest.param(
        "",
        "DO $$ BEGIN CREATE TYPE e AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN null; END $$",
        id="do-exc-type-done",
    ),
    pytest.param(
        "CREATE TABLE pa (id int PRIMARY KEY)",
        (
            "DO $$ BEGIN ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES pa(id) ON DELETE no "
            "action NOT VALID; EXCEPTION WHEN duplicate_object THEN null; END $$"
        ),
        id="do-exc-fk",
    ),
    pytest.param(
        "CREATE TABLE pa (id int PRIMARY KEY)",
        (
            'CREATE TABLE "_AToB" ("A" int NOT NULL, "B" int NOT NULL, CONSTRAINT "_AToB_AB_pkey" PRIMARY '
            'KEY ("A","B")); CREATE INDEX "_AToB_B_index" ON "_AToB"("B"); ALTER TABLE "_AToB" ADD '
            'CONSTRAINT "_AToB_A_fkey" FOREIGN KEY ("A") REFERENCES pa(id) ON DELETE CASCADE ON UPDATE '
            "CASCADE;"
        ),
        id="join-table",
    ),
    pytest.param("", "ALTER TABLE t SET UNLOGGED", id="unlogged"),
]


@pytest.mark.parametrize(("before", "script"), SCRIPTS)
def test_all_of_it_or_nothing_of_it_is_told(production: Production, before: str, script: str) -> None:
    """Nothing of it is there: rolled back. All of it is: applied."""
    production.before(before)
    production.failed(script)
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(script)
    assert verdict(production.judge()) == APPLIED
