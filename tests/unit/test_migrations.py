"""The migrations folder as Prisma reads it."""

from hashlib import sha256
from pathlib import Path

import pytest

from recovery.errors import UsageError
from recovery.prisma.migrations import kept_in, read, variant

UNIX, WINDOWS = b"SELECT 1;\nSELECT 2;\n", b"SELECT 1;\r\nSELECT 2;\r\n"


def add(folder: Path, name: str, script: bytes = UNIX) -> Path:
    path = folder / name / "migration.sql"
    path.parent.mkdir(parents=True)
    path.write_bytes(script)
    return path


def failure(folder: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(folder)
    return caught.value


def test_migrations_are_sorted_by_name(tmp_path: Path) -> None:
    """Folders are read in the order of their names; files beside them are none."""
    for name in ("20260201000000_b", "20250101000000_c", "20260201000000_a", "0_init"):
        add(tmp_path, name)
    (tmp_path / "migration_lock.toml").write_text('provider = "postgresql"\n')
    (tmp_path / "README.md").write_text("")
    names = [migration.name for migration in read(tmp_path)]
    assert names == ["0_init", "20250101000000_c", "20260201000000_a", "20260201000000_b"]


def test_the_order_is_the_one_of_deploy(tmp_path: Path) -> None:
    """Names come in the order in which Prisma 6.19 was seen to deploy them."""
    seen = [
        *("0_init", "20260101_b", "20260101000000_a", "20260101000000_a_c"),
        *("20260101000000_ab", "20260101000000_B", "init"),
    ]
    for name in reversed(seen):
        add(tmp_path, name)
    assert [migration.name for migration in read(tmp_path)] == seen


def test_the_checksum_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    """The checksum is what Prisma writes into its ledger."""
    path = add(tmp_path, "m", WINDOWS)
    (migration,) = read(tmp_path)
    assert migration.checksum == sha256(WINDOWS).hexdigest()
    assert (migration.path, migration.script) == (path, WINDOWS)


@pytest.mark.parametrize(("mine", "other"), [(UNIX, WINDOWS), (WINDOWS, UNIX), (UNIX, UNIX)])
def test_line_endings_make_no_difference(tmp_path: Path, mine: bytes, other: bytes) -> None:
    """A row written from the same script with other line endings is matched, as by Prisma."""
    add(tmp_path, "m", mine)
    assert read(tmp_path)[0].matches(sha256(other).hexdigest())


def test_anything_else_does_not_match(tmp_path: Path) -> None:
    """A script with one more blank is another script."""
    add(tmp_path, "m")
    assert not read(tmp_path)[0].matches(sha256(UNIX + b" ").hexdigest())
    assert not read(tmp_path)[0].matches("")


def test_checksums_without_leading_zeros_match() -> None:
    """Early releases of Prisma left leading zeros out."""
    digest = sha256(UNIX).digest()
    unpadded = "".join(f"{byte:x}" for byte in digest)
    assert len(unpadded) < 64
    assert variant(UNIX, unpadded) == UNIX


def test_a_folder_without_a_script_is_refused(tmp_path: Path) -> None:
    """Prisma stops at such a folder, so it must not be passed over."""
    (tmp_path / "m").mkdir()
    error = failure(tmp_path)
    assert error.code == "migrations.no_script"
    assert "P3015" in error.fact


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """No migrations folder is not the same as no migrations."""
    assert failure(tmp_path / "migrations").code == "migrations.missing"


def test_an_empty_folder_has_no_migrations(tmp_path: Path) -> None:
    """An empty folder holds no migrations."""
    assert read(tmp_path) == ()


def test_a_byte_order_mark_is_not_a_part_of_the_text(tmp_path: Path) -> None:
    """The text leaves the mark out; the checksum does not."""
    add(tmp_path, "m", b"\xef\xbb\xbf" + UNIX)
    (migration,) = read(tmp_path)
    assert migration.text == UNIX.decode()
    assert migration.checksum == sha256(b"\xef\xbb\xbf" + UNIX).hexdigest()


@pytest.mark.parametrize("script", [b"-- caf\xe9", "SELECT 1;".encode("utf-16"), "SELECT 1;".encode("utf-16-le")])
def test_a_script_that_is_not_utf8_is_named(tmp_path: Path, script: bytes) -> None:
    """A script in another encoding is an error that names the file, once its text is wanted."""
    path = add(tmp_path, "m", script)
    (migration,) = read(tmp_path)
    with pytest.raises(UsageError) as caught:
        _ = migration.text
    assert caught.value.code == "migrations.not_utf8"
    assert str(path) in caught.value.fact


@pytest.mark.parametrize(
    ("lock", "refused"),
    [
        ('# comment\nprovider = "postgresql"', False),
        ('provider = "postgres"', False),
        ('provider = "mysql"', True),
        ("", True),
        ("<<<<<<< HEAD", True),
    ],
)
def test_the_provider_must_be_postgresql(tmp_path: Path, lock: str, *, refused: bool) -> None:
    """A history written for another database, or that nothing is known of, is refused."""
    (tmp_path / "migration_lock.toml").write_text(lock)
    if refused:
        assert failure(tmp_path).code == "migrations.provider"
    else:
        assert read(tmp_path) == ()


def test_kept_scripts_are_found_at_any_depth_under_any_name(tmp_path: Path) -> None:
    """Whoever kept them may have named them otherwise."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "any.sql").write_bytes(b"SELECT 1")
    (tmp_path / "migration.sql").write_bytes(b"SELECT 2")
    assert sorted(kept_in(tmp_path)) == [b"SELECT 1", b"SELECT 2"]


def test_a_folder_of_kept_scripts_that_is_missing_is_refused(tmp_path: Path) -> None:
    """It must not pass for an empty one."""
    with pytest.raises(UsageError) as caught:
        kept_in(tmp_path / "missing")
    assert caught.value.code == "scripts.unreadable"
