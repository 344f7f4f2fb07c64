"""Which Prisma ran a migration: from the logs, and from projects on disk."""

import json
import subprocess
from pathlib import Path

import pytest

from recovery.evidence.indications.engine_used import runner
from recovery.prisma.git import Repository
from states.facts import Runner
from tests.unit.test_logs import NATIVE, SCRIPTED

NATIVE_LOGS = NATIVE.format(code="42P07", said='relation "x" already exists')
JAVASCRIPT_LOGS = SCRIPTED.format(said='relation "x" already exists')


class Project:
    """A Prisma project in a git checkout of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.migrations = root / "prisma" / "migrations"
        self.migrations.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> None:
        """Runs git in it."""
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, "-C", str(self.root), *arguments], check=True, capture_output=True)

    def write(self, path: str, text: str) -> None:
        """Writes a file."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def asks_for(self, version: str, *, commit: bool = True) -> None:
        """Writes package.json."""
        self.write("package.json", json.dumps({"devDependencies": {"prisma": version}}))
        if commit:
            self.git("add", "package.json")
            self.git("commit", "--quiet", "--allow-empty", "-m", version)

    def installed(self, version: str) -> None:
        """Makes it look installed."""
        self.write("node_modules/prisma/package.json", json.dumps({"version": version}))

    def runner(self, logs: str | None, *, partial: bool = False) -> Runner:
        """Who ran a migration with these logs."""
        return runner(logs, self.migrations, Repository.find(self.migrations), partial=partial)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def test_without_a_project_only_the_logs_speak(tmp_path: Path) -> None:
    """`inspect` works in an empty folder."""
    assert runner(None, tmp_path, None).engine == "unknown"
    assert runner(NATIVE_LOGS, tmp_path, None).engine == "native"
    assert runner(NATIVE_LOGS, tmp_path / "absent", None).whole is None
    javascript = runner(JAVASCRIPT_LOGS, tmp_path, None)
    assert (javascript.engine, javascript.version, javascript.whole) == ("javascript", None, False)


@pytest.mark.parametrize(
    ("logs", "engine"),
    [
        (NATIVE_LOGS, "native"),
        (JAVASCRIPT_LOGS, "javascript"),
        (None, "unknown"),
        ("", "unknown"),
        ("External error id#0", "unknown"),
        ("Database error: Error querying the database: db error: ERROR: relation exists", "unknown"),
        ("Database error code: 42P07", "unknown"),
        ('ERROR: no such thing as "Database error code: 42P07" or DbError { severity: "ERROR"', "unknown"),
        ("> 1 | SELECT '\nDatabase error code: 42P07\nas DbError { severity: \"", "unknown"),
    ],
)
def test_each_engine_has_words_of_its_own(tmp_path: Path, logs: str | None, engine: str) -> None:
    """Words inside a quoted statement or message are nobody's."""
    assert runner(logs, tmp_path, None).engine == engine


@pytest.mark.parametrize("version", ["3.0.0", "5.22.0", "6.19.3", "^6.2.0", "~7.3.1", "7.3.9"])
def test_whole_is_known_where_no_later_version_was_ever_asked_for(project: Project, version: str) -> None:
    """Native logs, an older Prisma installed, and a history that never asked for a later one."""
    project.asks_for("4.16.2")
    project.asks_for(version)
    project.installed(version.lstrip("^~"))
    found = project.runner(NATIVE_LOGS)
    assert (found.engine, found.version, found.whole) == ("native", version.lstrip("^~"), True)
    assert "sent whole" in found.source


@pytest.mark.parametrize(
    "version",
    [
        "7.4.0",
        "7.10.1",
        "^7.0.0",
        "^7.3.0",
        "~7.4.0",
        "latest",
        "*",
        ">=6.0.0",
        "6.x",
        "workspace:*",
        "7.3.0-dev.1",
        "8.0.0",
    ],
)
def test_a_later_one_on_any_branch_leaves_it_open(project: Project, version: str) -> None:
    """A branch that is merged nowhere can have been deployed."""
    project.asks_for("6.19.3")
    project.git("checkout", "--quiet", "-b", "trial")
    project.asks_for(version)
    project.git("checkout", "--quiet", "main")
    project.installed("6.19.3")
    found = project.runner(NATIVE_LOGS)
    assert (found.version, found.whole) == ("6.19.3", None)
    assert "not known" in found.source


def test_what_is_installed_or_not_committed_counts_too(project: Project) -> None:
    """The tree can be ahead of its history."""
    project.asks_for("6.19.3")
    project.installed("7.4.0")
    assert project.runner(NATIVE_LOGS).whole is None
    project.installed("6.19.3")
    assert project.runner(NATIVE_LOGS).whole is True
    project.asks_for("7.4.0", commit=False)
    assert project.runner(NATIVE_LOGS).whole is None
    project.write("package.json", "{ not JSON")
    assert project.runner(NATIVE_LOGS).whole is None


def test_whole_is_known_only_of_the_native_engine(project: Project) -> None:
    """And only where production is not partly changed: whatever ran it left a part."""
    project.asks_for("6.19.3")
    project.installed("6.19.3")
    assert project.runner(None).whole is None
    assert project.runner(JAVASCRIPT_LOGS).whole is False
    assert project.runner(NATIVE_LOGS, partial=True).whole is None
    assert "a change by hand" in project.runner(None, partial=True).source


def test_a_history_that_is_not_all_there_proves_nothing(project: Project, tmp_path: Path) -> None:
    """A shallow clone, as pipelines make it, or no git at all."""
    project.asks_for("7.4.0")
    project.asks_for("6.19.3")
    shallow = Project(tmp_path / "clone")
    shallow.git("fetch", "--quiet", "--depth=1", project.root.as_uri(), "main")
    shallow.git("reset", "--quiet", "--hard", "FETCH_HEAD")
    shallow.installed("6.19.3")
    assert shallow.runner(NATIVE_LOGS).whole is None
    assert runner(NATIVE_LOGS, shallow.migrations, None).whole is None


def test_a_project_that_never_names_prisma_proves_nothing(project: Project) -> None:
    """Then `npx` can have fetched any version."""
    project.write("package.json", "{}")
    project.git("add", "package.json")
    project.git("commit", "--quiet", "-m", "empty")
    project.installed("6.19.3")
    assert project.runner(NATIVE_LOGS).whole is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("package-lock.json", '{"packages": {"node_modules/prisma": {\n      "version": "6.1.0"}}}'),
        ("pnpm-lock.yaml", "packages:\n\n  prisma@6.1.0:\n    resolution: {}\n\n  '@prisma/client@6.9.9':\n"),
        ("pnpm-lock.yaml", "packages:\n  /prisma/6.1.0:\n    resolution: {}\n"),
        ("yarn.lock", 'prisma@^6.0.0:\n  version "6.1.0"\n'),
        ("yarn.lock", '"prisma@npm:^6.0.0":\n  version: 6.1.0\n'),
        ("bun.lock", '{"packages": {"prisma": ["prisma@6.1.0", "", {}]}}'),
    ],
)
def test_a_lock_file_names_the_version_where_nothing_is_installed(project: Project, name: str, text: str) -> None:
    """The source is named with it."""
    project.write(name, text)
    found = project.runner(None)
    assert found.version == "6.1.0"
    assert f"{name} names Prisma 6.1.0 now" in found.source


def test_a_package_that_only_asks_gives_no_version(project: Project) -> None:
    """A range is no version."""
    project.asks_for("^6.0.0", commit=False)
    found = project.runner(None)
    assert found.version is None
    assert "package.json asks for Prisma ^6.0.0 now" in found.source


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("prisma.config.ts", 'export default { engine: "js" }', "seems to name an adapter"),
        ("prisma.config.ts", "export default { adapter: async () => x }", "seems to name an adapter"),
        ("prisma/schema.prisma", 'generator c {\n  previewFeatures = ["driverAdapters"]\n}', "driverAdapters"),
        ("prisma.config.ts", "export default {}", ""),
        ("prisma.config.ts", '// engine: "js", adapter\nexport default {}', ""),
    ],
)
def test_the_configuration_indicates_and_no_more(project: Project, path: str, text: str, words: str) -> None:
    """It is looked at as text, and never run."""
    project.installed("6.19.3")
    project.write(path, text)
    found = project.runner(None)
    assert found.engine == "unknown"
    assert words in found.source
    assert bool(words) == ("adapter" in found.source.lower())
