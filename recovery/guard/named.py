"""The production databases: from `[production]`, else those that recoveries of this project have confirmed."""

from collections.abc import Sequence
from pathlib import Path

from recovery import config
from recovery.guard.places import Pin, pin, pin_of
from recovery.journal.sqlite_file import journal_file


def pinned(folders: Sequence[Path]) -> tuple[Pin, ...]:
    """The databases that are production for a command in any of `folders`; empty if none is known.

    The settings win over the journals, since a journal can hold rehearsals on other databases. A journal in
    PostgreSQL is not read.

    Raises:
        UsageError: prisma-recovery.toml can't be read.
        JournalError: the journal can't be read.
    """
    settings = [config.load(None, folder) for folder in folders]
    tables = {each.path: each.production for each in settings if each.path is not None}
    named = [pin(table.host, table.database, str(path)) for path, table in tables.items() if _says(table)]
    return tuple(named) or tuple(_of_journals(folders))


def _says(table: config.Production) -> bool:
    return bool(table.host or table.database)


def _of_journals(folders: Sequence[Path]) -> list[Pin]:
    homes = dict.fromkeys(home for folder in folders for home in config.upwards(folder) if journal_file(home).is_file())
    if not homes:
        return []
    # Imported here because they load psycopg.
    from recovery.journal.confirmations import confirmed
    from recovery.journal.stores import FileStore

    said = ((home, url) for home in homes for url in confirmed(FileStore(home)))
    found = (pin_of(url, f"the journal {journal_file(home)}") for home, url in said)
    return [each for each in found if each is not None]
