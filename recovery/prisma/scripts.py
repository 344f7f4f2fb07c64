"""Finds the scripts that really ran, by checksum, wherever they are kept now (RULES E2, E27).

They are looked for by name first, in the migrations folder and in git's history of it; then under any other name there,
since a folder that was renamed keeps its bytes; then in the folders that were named for that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from recovery.prisma.git import Repository
from recovery.prisma.migrations import SCRIPT, Migration, decode, kept_in, variant
from recovery.sql.psql_lines import without_psql_lines
from recovery.sql.script import Script
from recovery.sql.statements import work_on_rows
from states.facts import History, Note, Row
from states.ledger import finished_as, in_order_of_history, side_by_side, under_present_names


class Scripts:
    """The scripts of one checkout, present and past."""

    def __init__(
        self,
        folder: Path,
        migrations: Sequence[Migration],
        repository: Repository | None,
        elsewhere: Sequence[Path] = (),
    ) -> None:
        """Reads nothing.

        Args:
            folder: the migrations folder.
            migrations: its migrations, in Prisma's order.
            repository: the checkout that the folder is in, for older versions of scripts; None without git.
            elsewhere: further folders that may hold scripts of migrations whose folders are gone.
        """
        self._elsewhere = tuple(elsewhere)
        self.folder = folder
        self.repository = repository
        self.migrations = {migration.name: migration for migration in migrations}
        self._found: dict[tuple[str, str], Script | None] = {}
        self._every: tuple[bytes, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the folder's migrations, in Prisma's order."""
        return tuple(self.migrations)

    def texts(self) -> Iterator[str]:
        """The texts of all scripts that the folder holds now."""
        return (migration.text for migration in self.migrations.values())

    def every_text(self, rows: Sequence[Row]) -> Iterator[str]:
        """The same, and those of all scripts that rows of the ledger are of, as far as they are found."""
        yield from self.texts()
        for row in rows:
            script = self.ran(row.migration, row.checksum)
            if script is not None and script.text != getattr(self.migrations.get(row.migration), "text", None):
                yield script.text

    def present(self, name: str) -> Script | None:
        """The migration's script as the folder holds it now; None if it doesn't."""
        migration = self.migrations.get(name)
        return Script(name, migration.checksum, migration.text) if migration else None

    def ran(self, name: str, checksum: str) -> Script | None:
        """The script with this checksum, under this or another name; None if it is nowhere to be found."""
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
        script = None
        if migration:
            script = migration.script if checksum == migration.checksum else variant(migration.script, checksum)
        if script is None and self.repository is not None:
            script = self.repository.script_with_checksum(path, checksum)
        if script is None:
            script = next((s for each in self._of_any_name() if (s := variant(each, checksum)) is not None), None)
        return None if script is None else Script(name, checksum, decode(script, path))

    def _of_any_name(self) -> Sequence[bytes]:
        """Every script that is kept somewhere. The checksum tells which one ran, whatever its name is now."""
        if self._every is None:
            here = [each.script for each in self.migrations.values()]
            past = self.repository.every_script(SCRIPT) if self.repository is not None else ()
            self._every = (*here, *past, *(script for folder in self._elsewhere for script in kept_in(folder)))
        return self._every

    def under_present_names(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """The rows, in which attempts at a migration that was renamed since bear its present name (RULES E2)."""
        return under_present_names(rows, self.names, self._repeats)

    def _repeats(self, row: Row, name: str) -> bool:
        """Whether the script of this name is the one that an attempt ran, or shares a statement on rows with it."""
        present = self.migrations[name]
        if present.matches(row.checksum):
            return True
        ran = self.ran(row.migration, row.checksum)
        return ran is not None and not work_on_rows(ran.text).isdisjoint(work_on_rows(present.text))

    def finished_as(self, name: str, rows: Sequence[Row]) -> Row | None:
        """The row by which a migration finished under a name that it no longer has; None if there is none."""
        return finished_as(rows, self.names, lambda row: self.migrations[name].matches(row.checksum))

    def history(self, rows: Sequence[Row]) -> History:
        """The ledger compared with the folder."""
        differing = {
            row.migration
            for row in rows
            if row.finished and (m := self.migrations.get(row.migration)) and not m.matches(row.checksum)
        }
        return side_by_side(rows, self.names, differing)

    def finished(self, rows: Sequence[Row], but: str | None = None) -> tuple[list[Script], list[Note]]:
        """The scripts that the finished rows ran, in their order (RULES E1).

        Args:
            rows: the rows of the ledger.
            but: a name to leave out.

        Returns:
            The scripts, and a note on each whose text is not the one that ran, or was not found.
        """
        scripts: dict[str, Script] = {}
        notes: list[Note] = []
        counted = {row.migration for row in rows if row.finished and row.applied_steps_count >= 1}
        for row in in_order_of_history(rows, self.migrations):
            name = row.migration
            if name == but or name in scripts:
                continue
            script = self.ran(name, row.checksum)
            same = (each.migration for each in scripts.values() if each.checksum == row.checksum)
            if row.applied_steps_count == 0 and any(each not in self.migrations or each in counted for each in same):
                # It was finished under another name before, and only its name was recorded since. Where both names are
                # in the folder, and neither was seen to run, each made what its script makes.
                script = Script(name, row.checksum, "")
            if script is None:
                script = self.present(name)
                what = "its file was edited since; replayed as it is now" if script else "its script was not found"
                notes.append(Note(name, what))
            if script is not None:
                scripts[name] = replace(script, text=without_psql_lines(script.text))
        return list(scripts.values()), notes
