"""Finds the scripts that really ran, by checksum: in the migrations folder, else in git's history (RULES E2)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from recovery.prisma.git import Repository
from recovery.prisma.migrations import Migration, decode, variant
from recovery.sql.script import Script
from states.facts import History, Note, Row
from states.ledger import in_order_of_finishing, side_by_side


class Scripts:
    """The scripts of one checkout, present and past."""

    def __init__(self, folder: Path, migrations: Sequence[Migration], repository: Repository | None) -> None:
        """Reads nothing.

        Args:
            folder: the migrations folder.
            migrations: its migrations, in Prisma's order.
            repository: the checkout that the folder is in, for older versions of scripts; None without git.
        """
        self.folder = folder
        self.repository = repository
        self.migrations = {migration.name: migration for migration in migrations}
        self._found: dict[tuple[str, str], Script | None] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the folder's migrations, in Prisma's order."""
        return tuple(self.migrations)

    def texts(self) -> Iterator[str]:
        """The texts of all scripts that the folder holds now."""
        return (migration.text for migration in self.migrations.values())

    def present(self, name: str) -> Script | None:
        """The migration's script as the folder holds it now; None if it doesn't."""
        migration = self.migrations.get(name)
        return Script(name, migration.checksum, migration.text) if migration else None

    def ran(self, name: str, checksum: str) -> Script | None:
        """The script with this checksum: the folder's, or a version of it in git's history; None if neither."""
        key = (name, checksum)
        if key not in self._found:
            self._found[key] = self._find(name, checksum)
        return self._found[key]

    def path(self, name: str) -> Path:
        """The path at which the migration's script is, or was."""
        migration = self.migrations.get(name)
        return migration.path if migration else self.folder / name / "migration.sql"

    def _find(self, name: str, checksum: str) -> Script | None:
        migration = self.migrations.get(name)
        path = self.path(name)
        script = variant(migration.script, checksum) if migration else None
        if script is None and self.repository is not None:
            script = self.repository.script_with_checksum(path, checksum)
        return None if script is None else Script(name, checksum, decode(script, path))

    def history(self, rows: Sequence[Row]) -> History:
        """The ledger compared with the folder."""
        differing = {
            row.migration
            for row in rows
            if row.finished and (m := self.migrations.get(row.migration)) and not m.matches(row.checksum)
        }
        return side_by_side(rows, self.names, differing)

    def finished(self, rows: Sequence[Row], but: str | None = None) -> tuple[list[Script], list[Note]]:
        """The scripts that the finished rows ran, in order of `finished_at` (RULES E1).

        Args:
            rows: the rows of the ledger.
            but: a name to leave out.

        Returns:
            The scripts, and a note on each whose text is not the one that ran, or was not found.
        """
        scripts: dict[str, Script] = {}
        notes: list[Note] = []
        for row in in_order_of_finishing(rows):
            name = row.migration
            if name == but or name in scripts:
                continue
            script = self.ran(name, row.checksum)
            if script is None:
                script = self.present(name)
                what = "its file was edited since; replayed as it is now" if script else "its script was not found"
                notes.append(Note(name, what))
            if script is not None:
                scripts[name] = script
        return list(scripts.values()), notes
