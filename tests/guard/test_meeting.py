"""Whether a dangerous command may run, in projects as people have them."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.errors import UsageError
from recovery.guard.judging import Judgement, judge

PRODUCTION = "postgresql://app:hunter2@db.example.com:5432/app"
POOLED = "postgresql://app:hunter2@db-pooler.example.com:6543/app"
DEVELOPMENT = "postgresql://app:hunter2@localhost:5432/app"
PINNED = '[production]\nhost = "db.example.com"\ndatabase = "app"\n'
CONFIG = 'import {{ defineConfig, env }} from "prisma/config";\n{}\nexport default defineConfig({{ {} }});\n'


class Project:
    """A folder with a schema, and what a test puts into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("prisma-recovery.toml", PINNED)
        self.schema('url = env("DATABASE_URL")')
        self.write("package.json", "{}")

    def write(self, name: str, text: str) -> None:
        """A file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def schema(self, settings: str, name: str = "prisma/schema.prisma") -> None:
        """A schema with these lines in its datasource."""
        self.write(name, f'datasource db {{\n  provider = "postgresql"\n  {settings}\n}}\n')

    def judge(self, line: str, *, strict: bool = False, **environ: str) -> Judgement:
        """What guard makes of a command line; `'` groups words."""
        return judge(shlex.split(line), self.folder, environ, strict=strict)

    def code(self, line: str, **environ: str) -> str:
        """The code of its refusal, or nothing."""
        refusal = self.judge(line, **environ).refusal
        if refusal is not None:
            assert "hunter2" not in str(refusal)
        return "" if refusal is None else refusal.code


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Outside of any checkout."""
    return Project(tmp_path)


def both(project: Project, line: str, put: Callable[[str], dict[str, str] | None]) -> None:
    """`put` names a database; with production the command is refused, with development it runs."""
    for url in (PRODUCTION, POOLED, DEVELOPMENT):
        environ = put(url) or {}
        assert project.code(line, **environ) == ("" if url is DEVELOPMENT else "guard.production"), url


@pytest.mark.parametrize("line", ["npx prisma db push", "npx prisma migrate dev", "npx prisma migrate reset -f"])
def test_the_environment_says_where_it_goes(project: Project, line: str) -> None:
    """Each of the commands is refused on production, and runs elsewhere."""
    both(project, line, lambda url: {"DATABASE_URL": url})


@pytest.mark.parametrize("file", [".env", "prisma/.env"])
def test_env_files_say_where_it_goes(project: Project, file: str) -> None:
    """At the root and beside the schema; the environment comes first."""
    both(project, "npx prisma db push", lambda url: project.write(file, f"DATABASE_URL='{url}'\n"))
    project.write(file, f"DATABASE_URL={PRODUCTION}\n")
    assert project.code("npx prisma db push", DATABASE_URL=DEVELOPMENT) == ""
    assert project.code("npx prisma db push", DATABASE_URL="") == "guard.production"
    assert project.code("env -i npx prisma db push", DATABASE_URL=DEVELOPMENT) == "guard.production"
    assert project.code("sudo npx prisma db push", DATABASE_URL=DEVELOPMENT) == "guard.production"


@pytest.mark.parametrize(
    "line",
    [
        "prisma db push --schema=db/main.prisma",
        "prisma db push --schema db/main.prisma --skip-generate",
        "prisma --schema db/main.prisma db push",
        "prisma db --schema=db/main.prisma push",
        "sh -c 'cd db && prisma db push --schema main.prisma'",
    ],
)
def test_the_schema_that_is_named_counts(project: Project, line: str) -> None:
    """Its variable and the `.env` beside it, wherever the option stands."""
    project.schema('url = env("OTHER_URL")', "db/main.prisma")
    both(project, line, lambda url: project.write("db/.env", f"OTHER_URL={url}\n"))


def test_any_url_of_the_datasource_counts(project: Project) -> None:
    """Direct, shadow, or written out."""
    for setting in ("directUrl", "shadowDatabaseUrl"):
        project.schema(f'url = env("DATABASE_URL")\n  {setting} = env("SECOND")')
        assert project.code("prisma migrate dev", DATABASE_URL=DEVELOPMENT, SECOND=PRODUCTION) == "guard.production"
    both(project, "prisma db push", lambda url: project.schema(f'url = "{url}"'))


def test_an_explicit_url_is_the_only_one(project: Project) -> None:
    """With `--url` the project's own do not count; unless it stands where Prisma does not read it."""
    for line in ("prisma db push --url {}", "prisma db push --url={}", "prisma db --url {} push"):
        assert project.code(line.format(DEVELOPMENT), DATABASE_URL=PRODUCTION) == ""
        assert project.code(line.format(PRODUCTION), DATABASE_URL=DEVELOPMENT) == "guard.production"
    line = f"prisma db push -- -- --url {DEVELOPMENT}"
    assert project.code(line, DATABASE_URL=PRODUCTION) == "guard.production"
    assert project.code("sh -c 'prisma db push --url $U'", U=PRODUCTION) == "guard.production"
    assert project.code("sh -c 'prisma db push --url $U'", U=DEVELOPMENT) == ""
    assert project.code("sh -c 'U=x prisma db push --url $U'", U=PRODUCTION) == "guard.unclear"


def test_variables_of_the_command_count(project: Project) -> None:
    """Set by env, cross-env, a shell, or dotenv."""
    for line in (
        "env DATABASE_URL={} npx prisma db push",
        "npx cross-env DATABASE_URL={} prisma db push",
        "sh -c 'DATABASE_URL={} npx prisma db push'",
        "sh -c 'export DATABASE_URL={}; npx prisma db push'",
    ):
        assert project.code(line.format(PRODUCTION), DATABASE_URL=DEVELOPMENT) == "guard.production", line
        assert project.code(line.format(DEVELOPMENT), DATABASE_URL=PRODUCTION) == "", line
    project.write(".env.production", f"DATABASE_URL={PRODUCTION}\n")
    for line in (
        "dotenv -e .env.production -- prisma db push",
        "npx dotenv-cli -e .env.production prisma db push",
        "dotenv -c production -- prisma db push",
        "node --env-file=.env.production node_modules/prisma/build/index.js db push",
        "sh -c 'set -a; . ./.env.production; prisma db push'",
    ):
        assert project.code(line, DATABASE_URL=DEVELOPMENT).startswith("guard."), line


def test_a_package_script_is_followed(project: Project) -> None:
    """Into the package's folder, with its own `.env`."""
    project.schema('url = env("DATABASE_URL")', "app/prisma/schema.prisma")
    scripts = {"push": "npm run inner", "inner": "prisma db push", "gen": "prisma generate"}
    project.write("app/package.json", json.dumps({"scripts": scripts}))
    project.write("app/.env", f"DATABASE_URL={PRODUCTION}\n")
    assert project.code("npm --prefix app run push") == "guard.production"
    assert project.code("sh -c 'cd app/prisma && npm run push'") == "guard.production"
    assert project.code("pnpm --filter app run push", DATABASE_URL=DEVELOPMENT) == "guard.unclear"
    assert project.code("npm --prefix app run gen") == ""


def test_scripts_of_one_text_in_nested_packages_are_followed(project: Project) -> None:
    """The same words in another folder are other scripts; and a script `prisma` of the root hides no program."""
    inner = json.dumps({"scripts": {"x": "cd sub && npm run x"}})
    for folder in ("", "sub/"):
        project.write(f"{folder}package.json", inner)
    project.write("sub/sub/package.json", json.dumps({"scripts": {"x": "prisma db push"}}))
    project.schema('url = env("DATABASE_URL")', "sub/sub/prisma/schema.prisma")
    assert project.code("npm run x", DATABASE_URL=PRODUCTION) == "guard.production"
    project.write("package.json", json.dumps({"scripts": {"prisma": "echo"}}))
    assert project.code("pnpm prisma db push", DATABASE_URL=PRODUCTION) == "guard.unclear"
    assert project.code("pnpm --filter web prisma db push", DATABASE_URL=PRODUCTION) == "guard.production"


def test_a_configuration_says_where_it_goes(project: Project) -> None:
    """Its variable, from the environment, and from `.env` files that it loads."""
    project.schema("")
    project.write("prisma.config.ts", CONFIG.format('import "dotenv/config";', 'datasource: { url: env("MAIN_URL") }'))
    both(project, "prisma db push", lambda url: {"MAIN_URL": url})
    both(project, "prisma db push", lambda url: project.write(".env", f"MAIN_URL={url}\n"))
    project.write(".env", f"MAIN_URL={DEVELOPMENT}\n")
    loaded = 'import { config } from "dotenv"; config({ path: ".env.local" });'
    project.write("other.config.ts", CONFIG.format(loaded, "datasource: { url: process.env.MAIN_URL }"))
    both(project, "prisma db push --config other.config.ts", lambda u: project.write(".env.local", f"MAIN_URL={u}\n"))


@pytest.mark.parametrize(
    "code",
    [
        'import { url } from "./url";',
        'import { env } from "@t3-oss/env-core";',
        "const name = 'X'; const url = process.env[name];",
        "const { DATABASE_URL } = process.env;",
        "const url = `postgresql://${process.env.HOST}/app`;",
        "const url = process.env.DATABASE_URL.replace('dev', 'prod');",
        "const url = JSON.parse(readFileSync('secrets.json', 'utf8')).url;",
        "const url = require(process.env.FILE);",
        "const e = process; const url = e.env.X;",
        'import { env } from "node:process"; const url = env.X;',
        'const url = process["env"].X;',
        "const url = import.meta.env.X;",
        "const url = Bun.env.X;",
    ],
)
def test_a_configuration_that_cannot_be_followed_is_refused(project: Project, code: str) -> None:
    """Where it reads something that can't be seen, and also where a URL that it could read is production."""
    project.write("prisma.config.ts", CONFIG.format(code, 'datasource: { url: env("DATABASE_URL") }'))
    assert project.code("prisma db push", DATABASE_URL=DEVELOPMENT) == "guard.unclear"
    assert project.code("prisma db push", DATABASE_URL=PRODUCTION) == "guard.production"
    assert project.code("prisma migrate deploy", DATABASE_URL=PRODUCTION) == ""


def test_files_that_the_environment_names_count(project: Project) -> None:
    """The variable of dotenv itself, and the mode that bun chooses its files by."""
    project.write("prisma.config.ts", CONFIG.format('import "dotenv/config";', 'datasource: { url: env("MAIN_URL") }'))
    project.write(".env", f"MAIN_URL={DEVELOPMENT}\n")
    project.write(".env.production", f"MAIN_URL={PRODUCTION}\nDATABASE_URL={PRODUCTION}\n")
    assert project.code("prisma db push") == ""
    assert project.code("prisma db push", DOTENV_CONFIG_PATH=".env.production") == "guard.production"
    assert project.code("env NODE_ENV=production bunx prisma db push") == "guard.production"
    assert project.code("env NODE_ENV=test bunx prisma db push") == ""


def test_the_settings_beside_a_schema_elsewhere_count(project: Project, tmp_path: Path) -> None:
    """A project that is worked on from another folder keeps its production."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    line = ["npx", "prisma", "db", "push", "--schema", str(project.folder / "prisma" / "schema.prisma")]
    refusal = judge(line, elsewhere, {"DATABASE_URL": PRODUCTION}, strict=False).refusal
    assert refusal is not None
    assert refusal.code == "guard.production"


def test_a_project_that_says_nothing_is_refused(project: Project) -> None:
    """No schema, or one without a URL and no configuration."""
    project.schema("")
    assert project.code("prisma db push", DATABASE_URL=DEVELOPMENT) == "guard.unclear"
    (project.folder / "prisma" / "schema.prisma").unlink()
    assert project.code("prisma db push", DATABASE_URL=DEVELOPMENT) == "guard.unclear"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [("SELECT 1", ""), ("DELETE FROM _prisma_migrations", "guard.production"), ("?", "guard.production")],
)
def test_sql_in_a_file_is_read(project: Project, sql: str, expected: str) -> None:
    """What leaves the ledger alone runs on production too."""
    project.write("x.sql", sql)
    line = "prisma db execute --schema prisma/schema.prisma --file"
    assert project.code(f"{line} x.sql", DATABASE_URL=PRODUCTION) == expected
    assert project.code(f"{line}=x.sql", DATABASE_URL=DEVELOPMENT) == ""
    assert project.code(f"{line} /dev/null", DATABASE_URL=PRODUCTION) == "guard.production"
    assert project.code(f"{line} missing.sql", DATABASE_URL=PRODUCTION) == "guard.production"
    assert project.code("sh -c 'prisma db execute --stdin < x.sql'", DATABASE_URL=PRODUCTION) == "guard.production"


def test_without_a_pin_it_warns_or_is_strict(project: Project) -> None:
    """Nobody said which database is production."""
    project.write("prisma-recovery.toml", "")
    judgement = project.judge("prisma db push", DATABASE_URL=PRODUCTION)
    assert judgement.refusal is None
    assert "[production]" in judgement.warning
    strict = project.judge("prisma db push", strict=True, DATABASE_URL=DEVELOPMENT).refusal
    assert strict is not None
    assert strict.code == "guard.not_pinned"
    assert project.judge("prisma generate", strict=True) == Judgement()


def test_settings_that_cannot_be_read_stop_only_what_needs_them(project: Project) -> None:
    """A broken file is an error for a dangerous command; a harmless one does not look."""
    project.write("prisma-recovery.toml", "production = [")
    assert project.code("prisma migrate deploy", DATABASE_URL=PRODUCTION) == ""
    with pytest.raises(UsageError):
        project.judge("prisma db push", DATABASE_URL=PRODUCTION)


def test_a_link_and_what_is_no_prisma(project: Project) -> None:
    """A link to the binary is followed; another program is run with a warning."""
    project.write("node_modules/prisma/build/index.js", "")
    (project.folder / "p").symlink_to(project.folder / "node_modules/prisma/build/index.js")
    assert project.code("./p db push", DATABASE_URL=PRODUCTION) == "guard.production"
    judgement = project.judge("next build", DATABASE_URL=PRODUCTION)
    assert judgement.refusal is None
    assert "No Prisma command" in judgement.warning
