"""From options, environment and settings to where the journal is."""

import os
from pathlib import Path

import pytest

from recovery.app.session import Options, Session
from recovery.config import FILE, JOURNAL_VARIABLE, Config
from recovery.errors import UsageError
from recovery.prisma.project import Project, find_configured

URL = "postgresql://u:hush@{}.example.com:5432/app"


def session(folder: Path, option: str | None = None, setting: str | None = None) -> Session:
    """A session in `folder`, with `--journal` and `[journal] url`."""
    (folder / FILE).write_text("" if setting is None else f"[journal]\nurl = '{setting}'\n")
    return Session(Options(URL.format("production"), journal=option), folder, dict(os.environ))


def test_the_journal_is_a_file_unless_something_names_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option comes before the environment, that before the settings, and a file is what is left."""
    monkeypatch.delenv(JOURNAL_VARIABLE, raising=False)
    store = session(tmp_path).store()
    assert (store.shared, str(store)) == (False, str(tmp_path / ".prisma-recovery/journal.sqlite3"))
    assert str(session(tmp_path, None, URL.format("setting")).store()).startswith("setting.example.com:5432/app")
    monkeypatch.setenv(JOURNAL_VARIABLE, URL.format("variable"))
    assert str(session(tmp_path, None, URL.format("setting")).store()).startswith("variable.example.com")
    store = session(tmp_path, URL.format("option"), URL.format("setting")).store()
    assert str(store).startswith("option.example.com")
    assert store.shared


def test_target_is_the_production_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`target` needs no second URL, wherever it is said."""
    monkeypatch.setenv(JOURNAL_VARIABLE, "target")
    for one in (session(tmp_path), session(tmp_path, "target"), session(tmp_path, "target", "target")):
        assert str(one.store()) == "production.example.com:5432/app, schema prisma_recovery"


@pytest.mark.parametrize("where", ["mysql://u:hush@h/app", "traget", "postgresql://u:hush@h/"])
def test_another_word_is_refused_and_not_repeated(tmp_path: Path, where: str) -> None:
    """What is neither `target` nor a usable URL is an error that names both, and shows no secret."""
    with pytest.raises(UsageError) as caught:
        session(tmp_path, where).store()
    assert caught.value.code == "journal.url"
    assert "`target`" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_project_is_looked_for_once_whether_there_is_one_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder with a thousand others that takes a while, and many ask."""
    looked: list[Path] = []

    def found(config: Config, cwd: Path, schema: Path | None) -> Project:
        looked.append(cwd)
        return find_configured(config, cwd, schema)

    monkeypatch.setattr("recovery.prisma.project.find_configured", found)
    without = session(tmp_path)
    for _ in range(2):
        with pytest.raises(UsageError, match="No Prisma schema was found"):
            without.project()
    assert len(looked) == 1
    (tmp_path / "schema.prisma").write_text('datasource db {\n  provider = "postgresql"\n}\n')
    one = session(tmp_path)
    assert one.project() is one.project()
    assert len(looked) == 2


def test_a_journals_url_is_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the settings nor the store show its password, and children do not inherit it."""
    monkeypatch.setenv(JOURNAL_VARIABLE, URL.format("variable"))
    one = session(tmp_path, None, URL.format("setting"))
    assert "hush" not in f"{one.config!r} {one.store()}"
    assert "hush" not in str(one.environment())


def test_assumptions_come_from_options_and_settings(tmp_path: Path) -> None:
    """RULES E21: named on the command line or in the settings; a name that there is not is refused."""
    assert Session(Options(), tmp_path, {}).assumed() == frozenset()
    assert Session(Options(assume=("no-handwork",)), tmp_path, {}).assumed() == {"no_handwork"}
    with pytest.raises(UsageError) as refused:
        Session(Options(assume=("no-such",)), tmp_path, {}).assumed()
    assert refused.value.code == "usage.assume"
    (tmp_path / "prisma-recovery.toml").write_text('assume = ["no_handwork"]\n')
    assert Session(Options(), tmp_path, {}).assumed() == {"no_handwork"}
    (tmp_path / "prisma-recovery.toml").write_text('assume = ["nothing"]\n')
    with pytest.raises(UsageError) as invalid:
        Session(Options(), tmp_path, {})
    assert invalid.value.code == "config.invalid_value"
    assert "no_handwork" in invalid.value.remedy


def test_folders_with_lost_scripts_are_of_the_options_and_the_settings(tmp_path: Path) -> None:
    """The settings' are relative to their file, the options' to the working directory."""
    (tmp_path / "in").mkdir()
    (tmp_path / "prisma-recovery.toml").write_text('scripts = ["old"]\n')
    session = Session(Options(scripts=(Path("more"),), config=Path("../prisma-recovery.toml")), tmp_path / "in", {})
    assert [each.resolve() for each in session.elsewhere()] == [tmp_path / "in" / "more", tmp_path / "old"]
