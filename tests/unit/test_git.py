"""git, against real repositories."""

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from recovery.errors import UsageError
from recovery.prisma.git import Repository

UNIX, WINDOWS, EDITED = b"SELECT 1;\nSELECT 2;\n", b"SELECT 1;\r\nSELECT 2;\r\n", b"SELECT 3;\n"


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "core.autocrlf=false")
    return subprocess.run(
        ["git", *identity, "-C", folder, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty repository."""
    folder = tmp_path / "check out"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    return folder


def commit(root: Path, files: dict[str, bytes]) -> str:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "change")
    return git(root, "rev-parse", "HEAD")


def repository(path: Path) -> Repository:
    found = Repository.find(path)
    assert found is not None
    return found


def digest(script: bytes) -> str:
    return sha256(script).hexdigest()


def test_a_checkout_is_found_from_below(root: Path) -> None:
    """The checkout is found from a folder or a file in it."""
    commit(root, {"a/b/c": b""})
    assert repository(root / "a" / "b").root == root.resolve()
    assert repository(root / "a" / "b" / "c").root == root.resolve()


def test_without_a_checkout_there_is_none(tmp_path: Path) -> None:
    """Outside a checkout none is found."""
    assert Repository.find(tmp_path) is None
    assert Repository.find(tmp_path / "missing") is None


def test_where_no_checkout_is_git_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process takes longer than a look for `.git` in each folder above."""
    monkeypatch.setattr("recovery.prisma.git._git", lambda *_, **__: pytest.fail("git was asked"))
    (tmp_path / "deep" / "down").mkdir(parents=True)
    assert Repository.find(tmp_path / "deep" / "down") is None


def test_without_git_there_is_none(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where git is not installed no checkout is found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Repository.find(root) is None


def test_a_hooks_environment_does_not_lead_elsewhere(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Run from a hook of another repository, the project's own is asked."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert repository(root).root == root.resolve()


def test_revisions_are_resolved(root: Path) -> None:
    """Branches, tags and abbreviations name commits; anything else names none."""
    assert repository(root).head() is None
    first = commit(root, {"a": b"1"})
    git(root, "tag", "v1")
    second = commit(root, {"a": b"2"})
    found = repository(root)
    assert found.head() == second
    assert [found.resolve(name) for name in ("v1", first[:8], "main")] == [first, first, second]
    for name in ("missing", "--all", "-h", "", "v1\0", "main:a", "$(true)"):
        assert found.resolve(name) is None


def test_changes_under_a_folder_are_listed(root: Path) -> None:
    """Edited, staged, deleted and untracked files under the folder are listed, others are not."""
    commit(root, {"m/1/x.sql": b"1", "m/2/x.sql": b"2", "m/3/x.sql": b"3", "other": b"o", ".gitignore": b"*.log\n"})
    found = repository(root)
    assert found.changed(root / "m") == ()
    (root / "m/1/x.sql").write_bytes(b"changed")
    (root / "m/2/x.sql").unlink()
    git(root, "mv", "m/3/x.sql", "m/3/y.sql")
    (root / 'm/4 é\n"').mkdir()
    (root / 'm/4 é\n"/x.sql').write_bytes(b"new")
    (root / "m/ignored.log").write_bytes(b"")
    (root / "other").write_bytes(b"changed")
    assert found.changed(root / "m") == ("m/1/x.sql", "m/2/x.sql", "m/3/x.sql", "m/3/y.sql", 'm/4 é\n"/x.sql')
    assert "other" in found.changed(root)


def test_a_folder_is_named_literally(root: Path) -> None:
    """A folder's name is no pattern."""
    commit(root, {"m*/a": b"1", "mm/a": b"1"})
    (root / "mm/a").write_bytes(b"2")
    assert repository(root).changed(root / "m*") == ()


def test_no_answer_is_not_no_changes(root: Path, tmp_path: Path) -> None:
    """A folder that git cannot tell about is an error."""
    commit(root, {"a": b""})
    with pytest.raises(UsageError) as caught:
        repository(root).changed(tmp_path)
    assert caught.value.code == "git.failed"


@pytest.mark.parametrize("name", ["2026_a", "-x", "a*b[1]?", "é \\ü"])
def test_an_old_version_is_found(root: Path, name: str) -> None:
    """A version that was edited since is found by its checksum, whatever its folder is called."""
    path = f"prisma/migrations/{name}/migration.sql"
    commit(root, {path: UNIX, "prisma/migrations/other/migration.sql": b"SELECT 9;"})
    commit(root, {path: EDITED})
    found = repository(root)
    assert found.script_with_checksum(root / path, digest(UNIX)) == UNIX
    assert found.script_with_checksum(root / path, digest(EDITED)) == EDITED
    assert found.script_with_checksum(root / path, digest(b"SELECT 9;")) is None


def test_a_version_with_other_line_endings_is_found(root: Path) -> None:
    """What is returned has the checksum that was asked for."""
    commit(root, {"m/1/migration.sql": UNIX})
    assert repository(root).script_with_checksum(root / "m/1/migration.sql", digest(WINDOWS)) == WINDOWS


def test_versions_of_other_branches_and_undone_commits_are_found(root: Path) -> None:
    """A version on another branch, in an amended commit, deleted since, or moved, is found."""
    path = root / "m/1/migration.sql"
    commit(root, {"a": b""})
    git(root, "checkout", "-q", "-b", "side")
    commit(root, {"m/1/migration.sql": UNIX})
    git(root, "checkout", "-q", "main")
    commit(root, {"m/1/migration.sql": b"amended"})
    path.write_bytes(b"then")
    git(root, "commit", "-q", "--amend", "-a", "-m", "x")
    commit(root, {"old/place/m/1/migration.sql": EDITED})
    git(root, "rm", "-q", "-r", "m")
    git(root, "commit", "-q", "-m", "x")
    found = repository(root)
    for script in (UNIX, b"amended", b"then", EDITED):
        assert found.script_with_checksum(path, digest(script)) == script


def test_a_repository_without_commits_has_no_versions(root: Path) -> None:
    """Before the first commit there is nothing to find."""
    assert repository(root).script_with_checksum(root / "m/1/migration.sql", digest(UNIX)) is None
