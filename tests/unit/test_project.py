"""Finding the schema, the migrations folder and the CLI."""

import json
import shutil
from pathlib import Path

import pytest

from recovery.errors import PreflightError, UsageError
from recovery.prisma.project import find, find_launcher

SCHEMA = 'datasource db {\n  provider = "postgresql"\n  url = env("DATABASE_URL")\n}\n'


def put(path: Path, text: str = SCHEMA) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with a package."""
    (tmp_path / ".git").mkdir()
    put(tmp_path / "package.json", "{}")
    return tmp_path


@pytest.mark.parametrize("place", ["prisma/schema.prisma", "schema.prisma"])
def test_the_usual_places_are_looked_at(root: Path, place: str) -> None:
    """The schema is found where Prisma looks by itself, from any folder below."""
    schema = put(root / place)
    (root / "src" / "lib").mkdir(parents=True)
    project = find(root / "src" / "lib")
    assert (project.root, project.schema) == (root, schema)
    assert project.migrations == schema.parent / "migrations"


def test_package_json_names_the_schema(root: Path) -> None:
    """`prisma.schema` in package.json comes before the usual places."""
    put(root / "schema.prisma")
    schema = put(root / "db" / "main.prisma")
    put(root / "package.json", json.dumps({"prisma": {"schema": "db/main.prisma"}}))
    assert find(root).schema == schema


def test_a_person_names_the_schema(root: Path) -> None:
    """A named schema is taken, and its project's root is found above it."""
    put(root / "schema.prisma")
    schema = put(root / "packages" / "db" / "prisma" / "schema.prisma")
    put(root / "packages" / "db" / "package.json", "{}")
    project = find(root, "packages/db/prisma/schema.prisma")
    assert (project.root, project.schema) == (root / "packages" / "db", schema)


def test_a_folder_of_schema_files_is_a_schema(root: Path) -> None:
    """The migrations are beside the file that holds the datasource."""
    put(root / "prisma" / "schema" / "user.prisma", "model User { id Int @id }")
    put(root / "prisma" / "schema" / "main.prisma")
    project = find(root)
    assert project.schema == root / "prisma" / "schema"
    assert project.migrations == root / "prisma" / "schema" / "migrations"


def test_older_projects_have_migrations_beside_the_schema_folder(root: Path) -> None:
    """Where only the folder's sibling exists, that is the migrations folder."""
    put(root / "prisma" / "schema" / "main.prisma")
    (root / "prisma" / "migrations").mkdir()
    assert find(root).migrations == root / "prisma" / "migrations"


def test_the_configuration_names_schema_and_migrations(root: Path) -> None:
    """Paths are read from prisma.config.ts, as strings and as joined strings; comments are not."""
    schema = put(root / "db" / "schema.prisma")
    config = put(
        root / "prisma.config.ts",
        """
        // schema: "old/schema.prisma",
        /* migrations: { path: "old" } */
        export default defineConfig({
          schema: path.join(__dirname, 'db', 'schema.prisma'),
          migrations: {
            seed: "tsx seed.ts",
            path: "db/history",
          },
          datasource: { url: env<Env>("MY_URL"), shadowDatabaseUrl: env("MY_SHADOW_URL") },
        })
        const pool = new Pool({ a: process.env.A_URL, b: process.env["B_URL"], c: process.env.NODE_ENV })
        process.env.PRISMA_QUERY_ENGINE_LIBRARY ??= process.execPath;
        """,
    )
    project = find(root)
    assert (project.config, project.schema) == (config, schema)
    assert project.migrations == root / "db" / "history"
    assert project.url_variables == ("DATABASE_URL", "DIRECT_URL", "MY_URL", "A_URL", "B_URL")


def test_variables_of_the_schema_are_found(root: Path) -> None:
    """Variables of url and directUrl are found; the shadow database's is not ours to set."""
    put(
        root / "schema.prisma",
        """
        datasource db {
          // url = env("OLD_URL")
          url = env("POOLED")
          directUrl = env("UNPOOLED")
          shadowDatabaseUrl = env("SCRATCH")
        }
        """,
    )
    project = find(root)
    assert project.url_variables == ("DATABASE_URL", "DIRECT_URL", "POOLED", "UNPOOLED")
    assert [(each.variable, each.key) for each in project.named] == [("POOLED", "url"), ("UNPOOLED", "directUrl")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "schema.prisma",
            'datasource db {{\n  url = "{}"\n}}\nmodel A {{ url String @default("postgres://o/x") }}',
        ),
        (
            "prisma.config.ts",
            "export default {{ datasource: {{ url: '{}' }}, tracing: {{ url: 'postgres://o/x' }} }}",
        ),
    ],
)
def test_a_url_that_a_file_has_itself(root: Path, name: str, text: str) -> None:
    """It is found where no variable stands, and not shown."""
    put(root / "schema.prisma")
    file = put(root / name, text.format("postgresql://me:hunter2@h/d"))
    assert find(root).written == ("postgresql://me:hunter2@h/d", file)
    assert "hunter2" not in repr(find(root))


def test_no_schema_is_an_error(root: Path) -> None:
    """Nothing found, or nothing where a person said, is an error; no folder above the checkout is tried."""
    inner = root / "inner"
    (inner / ".git").mkdir(parents=True)
    put(root / "schema.prisma")
    for schema in (None, "missing.prisma"):
        with pytest.raises(UsageError) as caught:
            find(inner, schema)
        assert caught.value.code == "project.no_schema"


@pytest.mark.parametrize("value", ["folder", "`${root}/migrations`", "resolveMigrations()", ""])
def test_a_migrations_folder_that_is_computed_is_not_guessed(root: Path, value: str) -> None:
    """Where prisma.config computes it, the usual folder could be another one: it has to be named."""
    put(root / "schema.prisma")
    put(root / "prisma.config.ts", f"export default {{ migrations: {{ seed: 'x', path{value and ': '}{value} }} }}")
    with pytest.raises(UsageError) as caught:
        _ = find(root).migrations
    assert caught.value.code == "project.migrations_path"


def test_a_configuration_without_a_migrations_folder_leaves_the_usual_one(root: Path) -> None:
    """Other settings of `migrations`, and paths elsewhere, name none."""
    put(root / "schema.prisma")
    put(root / "prisma.config.ts", "import path from 'path'; export default { migrations: { seed: 'x' }, path: p }")
    assert find(root).migrations == root / "migrations"


def test_from_a_monorepos_root_the_schemas_below_are_named(root: Path) -> None:
    """In their packages, by usual place and by setting, but not of installed packages."""
    for folder in ("apps/web", "packages/db", "node_modules/x", ".cache/y"):
        put(root / folder / "prisma" / "schema.prisma")
    put(root / "packages" / "other" / "package.json", json.dumps({"prisma": {"schema": "main.prisma"}}))
    put(root / "packages" / "other" / "main.prisma")
    with pytest.raises(UsageError) as caught:
        find(root)
    assert caught.value.code == "project.no_schema"
    listed = "apps/web/prisma/schema.prisma, packages/db/prisma/schema.prisma, packages/other/main.prisma"
    assert f"folders below it have one: {listed}. Nothing was done." in caught.value.fact
    assert caught.value.remedy.endswith("--schema apps/web/prisma/schema.prisma")


@pytest.mark.parametrize(
    ("files", "schema"),
    [
        ({"prisma/schema.prisma": SCHEMA}, "prisma/schema.prisma"),
        ({"prisma/schema/main.prisma": SCHEMA}, "prisma/schema"),
        ({"schema.prisma": SCHEMA}, "schema.prisma"),
        ({"prisma.config.mts": "export default { schema: 'db/a.prisma' }", "db/a.prisma": SCHEMA}, "db/a.prisma"),
        ({".config/prisma.ts": "export default { schema: 'db/a.prisma' }", "db/a.prisma": SCHEMA}, "db/a.prisma"),
        ({"package.json": '{"prisma": {"schema": "db/a.prisma"}}', "db/a.prisma": SCHEMA}, "db/a.prisma"),
    ],
)
def test_a_package_below_is_known_by_any_of_its_files(root: Path, files: dict[str, str], schema: str) -> None:
    """Whatever tells Prisma where the schema is; other folders, such as those of migrations, are passed over."""
    for name, text in files.items():
        put(root / "deep" / "package" / name, text)
    put(root / "deep" / "20260101_first" / "migration.sql", "SELECT 1")
    with pytest.raises(UsageError) as caught:
        find(root)
    assert f"folders below it have one: deep/package/{schema}. Nothing" in caught.value.fact


def test_the_package_is_started_by_node(root: Path) -> None:
    """The package is started directly, and its version is known."""
    put(root / "packages" / "db" / "prisma" / "schema.prisma")
    project = find(root, "packages/db/prisma/schema.prisma")
    entry = put(root / "node_modules" / "prisma" / "build" / "index.js", "")
    put(root / "node_modules" / "prisma" / "package.json", '{"version": "6.19.3"}')
    put(root / "node_modules" / ".bin" / "prisma", "")
    launcher = find_launcher(project)
    assert launcher.argv == ("node", str(entry))
    assert launcher.version == "6.19.3"


def test_without_the_package_the_script_is_started(root: Path) -> None:
    """Where only `.bin/prisma` is there, it is used, and the version is not known."""
    put(root / "schema.prisma")
    script = put(root / "node_modules" / ".bin" / "prisma", "")
    launcher = find_launcher(find(root))
    assert (launcher.argv, launcher.version) == ((str(script),), None)


def test_a_configured_command_is_used(root: Path) -> None:
    """The configured command comes first."""
    put(root / "schema.prisma")
    assert find_launcher(find(root), ["bun", "prisma"]).argv == ("bun", "prisma")


@pytest.mark.parametrize("version", ["8.0.0", "8.0.0-dev.3", "12.1.0"])
def test_prisma_8_is_refused(root: Path, version: str) -> None:
    """Prisma 8 keeps another ledger: refused, whatever command is configured."""
    put(root / "schema.prisma")
    put(root / "node_modules" / "prisma" / "package.json", json.dumps({"version": version}))
    with pytest.raises(PreflightError) as caught:
        find_launcher(find(root), ["prisma"])
    assert caught.value.code == "prisma.version_8"


@pytest.mark.parametrize("checkout", [False, True])
def test_an_image_has_one_for_all(root: Path, monkeypatch: pytest.MonkeyPatch, *, checkout: bool) -> None:
    """Outside a checkout, `npm install -g prisma` will do; in one it could be of another project's version."""
    put(root / "app" / "schema.prisma")
    package = root / "lib" / "node_modules" / "prisma"
    entry = put(package / "build" / "index.js", "#!/usr/bin/env node")
    entry.chmod(0o755)
    put(package / "package.json", '{"version": "6.3.0"}')
    (root / "bin").mkdir()
    (root / "bin" / "prisma").symlink_to(entry)
    monkeypatch.setenv("PATH", str(root / "bin"))
    if not checkout:
        shutil.rmtree(root / ".git")
        launcher = find_launcher(find(root / "app"))
        assert (launcher.argv, launcher.version) == (("node", str(entry)), "6.3.0")
        return
    with pytest.raises(UsageError) as caught:
        find_launcher(find(root / "app"))
    assert caught.value.code == "prisma.not_found"


def test_no_cli_is_an_error(root: Path) -> None:
    """Without a CLI the error says how to get or name one."""
    put(root / "schema.prisma")
    with pytest.raises(UsageError) as caught:
        find_launcher(find(root))
    assert caught.value.code == "prisma.not_found"
