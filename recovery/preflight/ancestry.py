"""Is the checkout one that production was deployed from? Asked of every migration that the ledger calls applied."""

from collections.abc import Sequence

from recovery.prisma.scripts import Scripts
from states.checks import held, refused, unknown
from states.facts import Check, Row

NAME = "git.ledger"
#: Names in one sentence.
_SHOWN = 3


def ledger_check(scripts: Scripts, rows: Sequence[Row]) -> Check:
    """Every applied migration is in the folder as it ran, or was in the history of what is checked out.

    A file that was edited later is no sign of a wrong checkout, and the evidence takes the script that ran. One whose
    script no commit before HEAD holds is: another branch was deployed, or what ran was never committed.
    """
    source = f"_prisma_migrations and {scripts.folder}"
    done = {row.migration: row for row in rows if row.finished}
    missing = [row for name, row in done.items() if name not in scripts.migrations]
    edited = [row for name, row in done.items() if name in scripts.migrations and not _same(scripts, row)]
    if missing:
        return refused(
            NAME,
            f"applied in production, and not in the migrations folder: {_listed(scripts, missing)}",
            source,
            "Check out the commit that production was deployed from. Where they were squashed into another migration, "
            f'as Prisma\'s documentation describes, take it on: --waive {NAME}="squashed".',
        )
    foreign = [row for row in edited if not _before_head(scripts, row)]
    if foreign and scripts.repository is not None and scripts.repository.shallow():
        return unknown(
            NAME,
            f"applied in production with another script than the folder's: {_listed(scripts, foreign)}; but this is a "
            "shallow clone, whose history is not all here",
            source,
            "Fetch the history, and run again: git fetch --unshallow (in GitHub Actions: fetch-depth: 0).",
        )
    if foreign:
        return refused(
            NAME,
            f"applied in production with another script than the folder's: {_listed(scripts, foreign)}",
            source,
            "Check out the commit that holds the script that ran, or merge it. Where it was edited by hand before it "
            f'ran and that was never committed, take it on: --waive {NAME}="why".',
        )
    if edited:
        return held(NAME, f"edited since they were applied: {_listed(scripts, edited)}", source)
    return held(NAME, f"{len(done)} applied, each in the folder as it ran", source)


def _same(scripts: Scripts, row: Row) -> bool:
    return scripts.migrations[row.migration].matches(row.checksum)


def _before_head(scripts: Scripts, row: Row) -> bool:
    if scripts.repository is None:
        return False
    found = scripts.repository.commit_with_checksum(scripts.path(row.migration), row.checksum)
    return found is not None and found.before_head


def _place(scripts: Scripts, row: Row) -> str:
    """The migration's name, with the commit that has the script as it ran."""
    if scripts.repository is None:
        return row.migration
    found = scripts.repository.commit_with_checksum(scripts.path(row.migration), row.checksum)
    if found is None:
        return f"{row.migration} (as it ran: in no commit here)"
    where = "" if found.before_head else ", which is not in what is checked out"
    return f"{row.migration} (as it ran: commit {found.commit[:12]}{where})"


def _listed(scripts: Scripts, rows: Sequence[Row]) -> str:
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return ", ".join(_place(scripts, row) for row in rows[:_SHOWN]) + more
