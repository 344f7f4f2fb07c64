"""The SQL that Prisma runs in an empty database before the history, as prisma.config gives it."""

import os
from pathlib import Path

import pytest

from recovery.app.session import Options, Session
from recovery.config import FILE
from recovery.errors import UsageError
from tests.staging.node import toolchain

HEAD = 'import { readFileSync } from "node:fs";\nimport { defineConfig } from "prisma/config";\n'
CONFIG = HEAD + (
    "export default defineConfig({ experimental: { externalTables: true },"
    ' migrations: { path: "prisma/migrations", SETTING } } as any);\n'
)
SQL = "\nCREATE SCHEMA auth;\n-- 'users' of the platform\nCREATE TABLE auth.users (id uuid PRIMARY KEY);\n"


def project(root: Path, setting: str) -> Session:
    """A project with this setting among those of its migrations."""
    (root / "prisma").mkdir(exist_ok=True)
    (root / "prisma" / "schema.prisma").write_text('datasource db {\n  provider = "postgresql"\n}\n')
    (root / "package.json").write_text("{}")
    (root / "prisma.config.ts").write_text(CONFIG.replace("SETTING", setting))
    return Session(Options(), root, dict(os.environ))


@pytest.mark.parametrize(
    "setting", [f"initShadowDb: `{SQL}`,", f"initShadowDb: `{SQL}`", 'initShadowDb: "CREATE SCHEMA auth;"']
)
def test_a_literal_is_read_as_text(tmp_path: Path, setting: str) -> None:
    """Without Node.js, and without the project's packages."""
    (script,) = project(tmp_path, setting).init()
    assert script.migration == "initShadowDb of prisma.config.ts"
    assert script.text in (SQL, "CREATE SCHEMA auth;")


@pytest.mark.parametrize("setting", ["", "initShadowDb: ``,", "\n// initShadowDb: `CREATE SCHEMA auth;`,\n"])
def test_without_the_setting_there_is_none(tmp_path: Path, setting: str) -> None:
    """Neither where it is a comment."""
    assert project(tmp_path, setting).init() == ()


def test_what_is_no_literal_is_evaluated_by_prismas_own_package(tmp_path: Path) -> None:
    """A file that is read, a placeholder, a variable: as the CLI itself would load it."""
    (tmp_path / "init.sql").write_text(SQL)
    setting = 'initShadowDb: readFileSync("init.sql", "utf8") + `${1 + 1}`'
    session = project(tmp_path, setting)
    with pytest.raises(UsageError, match="is not a literal, and Prisma's own package"):
        session.init()
    (tmp_path / "node_modules").symlink_to(toolchain().node_modules)
    session.environ = {**os.environ, **toolchain().node.environment()}
    (script,) = session.init()
    assert script.text == SQL + "2"


def test_the_settings_come_first(tmp_path: Path) -> None:
    """Their file is looked for in their own folder, and is an error where it can't be read."""
    (tmp_path / FILE).write_text('[scratch]\ninit = "db/init.sql"\n')
    session = project(tmp_path, "initShadowDb: `SELECT 1`")
    with pytest.raises(UsageError, match=r"db/init.sql, which \[scratch\] init names, cannot be read"):
        session.init()
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "init.sql").write_text("\\restrict abc\nCREATE SCHEMA auth;\n")
    (script,) = session.init()
    assert (script.migration, script.text) == ("init.sql", "\nCREATE SCHEMA auth;\n")
