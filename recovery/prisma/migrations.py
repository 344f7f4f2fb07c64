"""The migrations folder: scripts with their checksums, in Prisma's order."""

import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from recovery.errors import UsageError
from states.ledger import order

#: The file that holds a migration's script.
SCRIPT = "migration.sql"
_LOCK = "migration_lock.toml"
_PROVIDERS = ("postgresql", "postgres")
#: Length of a SHA-256 in hexadecimal.
_CHECKSUM_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration of the folder.

    Attributes:
        name: the name of its folder, as in the ledger.
        checksum: SHA-256 of the script's bytes, in hexadecimal, as Prisma writes it into the ledger.
        path: the path of the script.
        script: the script's bytes.
    """

    name: str
    checksum: str
    path: Path
    script: bytes

    @property
    def text(self) -> str:
        """The script, without a byte order mark.

        Raises:
            UsageError: `migrations.not_utf8`.
        """
        return decode(self.script, self.path)

    def matches(self, checksum: str) -> bool:
        """Whether a row of the ledger with this checksum ran this script, as Prisma itself compares them."""
        return checksum == self.checksum or variant(self.script, checksum) is not None


def read(folder: Path) -> tuple[Migration, ...]:
    """The migrations of `folder`, in the order in which Prisma deploys them.

    Raises:
        UsageError: `migrations.missing`, `.unreadable`, `.no_script`, `.provider`.
    """
    if not folder.is_dir():
        raise UsageError(
            "migrations.missing",
            f"There is no migrations folder {folder}. Nothing was changed.",
            "Run this in the project, or name its schema with --schema (for inspect, --migrations is enough). Where "
            "--migrations was given, correct it.",
        )
    try:
        _check_provider(folder / _LOCK)
        # Prisma does not follow symbolic links here either.
        names = [entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
        return tuple(_read(folder / name / SCRIPT) for name in sorted(names, key=order))
    except OSError as error:
        raise UsageError(
            "migrations.unreadable",
            f"{error.filename or folder} cannot be read ({error.strerror}). Nothing was done.",
            "Give this user permission to read the migrations folder.",
        ) from error


def kept_in(folder: Path) -> tuple[bytes, ...]:
    """Every script in a folder that somebody named for keeping scripts, at any depth, whatever the files are called.

    Raises:
        UsageError: `scripts.unreadable`.
    """
    try:
        next(folder.iterdir(), None)  # else one that is missing would pass for an empty one
        return tuple(path.read_bytes() for path in sorted(folder.rglob("*.sql")) if path.is_file())
    except OSError as error:
        raise UsageError(
            "scripts.unreadable",
            f"{error.filename or folder}, where scripts are to be looked for, cannot be read ({error.strerror}). "
            "Nothing was done.",
            "Correct --scripts, or `scripts` in the settings, or give this user permission to read the folder.",
        ) from error


def variant(script: bytes, checksum: str) -> bytes | None:
    """The script with the line endings that give `checksum`; None if neither kind does.

    Git can change line endings on checkout, so Prisma ignores them when it compares scripts.
    """
    for candidate in (script, script.replace(b"\r\n", b"\n"), script.replace(b"\n", b"\r\n")):
        digest = sha256(candidate)
        # Early releases of Prisma wrote each byte without its leading zero; such rows still exist.
        unpadded = "".join(f"{byte:x}" for byte in digest.digest())
        if checksum == (digest.hexdigest() if len(checksum) == _CHECKSUM_LENGTH else unpadded):
            return candidate
    return None


def decode(script: bytes, path: Path) -> str:
    """The text of a script, without a byte order mark; `path` is for the error message only.

    Raises:
        UsageError: `migrations.not_utf8`.
    """
    try:
        text = script.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    if "\0" in text:
        # Text in UTF-16 without a byte order mark is valid UTF-8 if it holds ASCII only.
        raise _not_utf8(path)
    return text


def _read(path: Path) -> Migration:
    try:
        script = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(
            "migrations.no_script",
            f"{path.parent} holds no {SCRIPT}, and Prisma refuses such a folder (P3015). Nothing was done.",
            "Restore the script from git, or remove the folder if it is no migration.",
        ) from error
    return Migration(path.parent.name, sha256(script).hexdigest(), path, script)


def _check_provider(lock: Path) -> None:
    """Refuses a migrations folder that was written for another kind of database."""
    if not lock.is_file():
        return
    try:
        provider = tomllib.loads(lock.read_bytes().decode("utf-8-sig")).get("provider")
    except ValueError as error:
        raise UsageError(
            "migrations.provider",
            f"{lock} cannot be understood ({error}), so it is unknown which database the migrations are for. "
            "Nothing was done.",
            "Restore it from git.",
        ) from error
    if provider not in _PROVIDERS:
        raise UsageError(
            "migrations.provider",
            f"{lock} says that the migrations are for {provider!r}, not for PostgreSQL. Nothing was done.",
            "Run this in a project whose provider is postgresql.",
        )


def _not_utf8(path: Path) -> UsageError:
    return UsageError(
        "migrations.not_utf8",
        f"{path} is not text in UTF-8, so it cannot be replayed. Nothing was done.",
        "Save it as UTF-8 if it was never applied; else restore the applied version from git.",
    )
