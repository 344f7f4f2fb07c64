"""Settings: what is accepted, and what an error says."""

from pathlib import Path

import pytest

from recovery.config import FILE, Config, Step, load
from recovery.errors import UsageError


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def code_of(folder: Path, text: str | bytes) -> tuple[str, str]:
    path = write(folder, text)
    with pytest.raises(UsageError) as caught:
        load(path, folder)
    assert str(path) in caught.value.fact
    return caught.value.code, str(caught.value)


def test_everything_can_be_set(tmp_path: Path) -> None:
    """Every key of the file is read."""
    path = write(
        tmp_path,
        """
        auto = ["applied", "deploy"]
        [production]
        host = "db.example.com"
        database = "shop"
        [prisma]
        command = ["pnpm", "exec", "prisma"]
        schema = "packages/db/prisma"
        [scratch]
        url = "postgresql://localhost/postgres"
        [git]
        expect_commit = "main"
        [[pipeline.steps]]
        name = "promote"
        command = ["vercel", "promote"]
        [[pipeline.steps]]
        name = "seed"
        command = ["npm", "run", "seed"]
        idempotent = true
        """,
    )
    config = load(None, tmp_path)
    assert config.path == path
    assert config.auto == {"applied", "deploy"}
    assert config.production.host == "db.example.com"
    assert config.prisma.command == ("pnpm", "exec", "prisma")
    assert config.git.expect_commit == "main"
    assert config.pipeline.steps == (
        Step("promote", ("vercel", "promote")),
        Step("seed", ("npm", "run", "seed"), idempotent=True),
    )


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    """Without a file nothing is automatic, and nothing is expected."""
    assert load(None, tmp_path) == Config()
    assert load(None, tmp_path).auto == frozenset()


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """A file that a person named is not replaced by the defaults."""
    with pytest.raises(UsageError) as caught:
        load(Path("other.toml"), tmp_path)
    assert caught.value.code == "config.unreadable"


def test_the_file_is_found_upwards_to_the_root_of_the_checkout(tmp_path: Path) -> None:
    """A file above the checkout is not taken: it could be anybody's."""
    below = tmp_path / "checkout" / "packages" / "db"
    below.mkdir(parents=True)
    (tmp_path / "checkout" / ".git").mkdir()
    write(tmp_path, "")
    assert load(None, below).path is None
    path = write(tmp_path / "checkout", "")
    assert load(None, below).path == path


def test_outside_a_checkout_only_the_working_directory_counts(tmp_path: Path) -> None:
    """Without a checkout, no folder above is looked at."""
    (tmp_path / "below").mkdir()
    write(tmp_path, "")
    assert load(None, tmp_path / "below").path is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sratch = 1", ("'sratch'", "scratch")),
        ("[production]\nhots = 'x'", ("'hots'", "[production]", "host, database")),
        ("[[pipeline.steps]]\nname='a'\ncommand=['x']\nidempotant=true", ("'idempotant'", "idempotent")),
        ("path = 'x'", ("'path'",)),
    ],
)
def test_an_unknown_key_is_named_with_the_known_ones(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    """A misspelt key is an error that names it, its place, and the known ones."""
    code, message = code_of(tmp_path, text)
    assert code == "config.unknown_key"
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("auto = ['everything']", "everything"),
        ("auto = 'applied'", "auto"),
        ("[production]\nhost = 5", "production.host"),
        ("production = 'x'", "production"),
        ("[prisma]\ncommand = 'npx prisma'", "prisma.command"),
        ("[[pipeline.steps]]\nname='a'\ncommand=[]", "command"),
        ("[[pipeline.steps]]\ncommand=['x']", "name"),
        ("[[pipeline.steps]]\nname='a'\ncommand=['x']\n[[pipeline.steps]]\nname='a'\ncommand=['y']", "'a'"),
    ],
)
def test_a_value_that_does_not_fit_is_named(tmp_path: Path, text: str, part: str) -> None:
    """A value of the wrong type or out of range is an error that names its place."""
    code, message = code_of(tmp_path, text)
    assert code == "config.invalid_value"
    assert part in message


def test_invalid_toml_is_reported_with_its_line(tmp_path: Path) -> None:
    """A syntax error names its line."""
    code, message = code_of(tmp_path, "auto = []\n\n[production\n")
    assert code == "config.invalid_toml"
    assert "line 3" in message


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """A file in another encoding is an error that says so."""
    code, message = code_of(tmp_path, b"# caf\xe9\n")
    assert code == "config.invalid_toml"
    assert "UTF-8" in message


def test_the_scratch_url_is_not_shown(tmp_path: Path) -> None:
    """The settings can be shown without showing a password."""
    write(tmp_path, "[scratch]\nurl = 'postgresql://u:hunter2@h/d'")
    config = load(None, tmp_path)
    assert config.scratch.url == "postgresql://u:hunter2@h/d"
    assert "hunter2" not in repr(config)
